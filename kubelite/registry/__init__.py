"""The API's storage semantics in one process: kinds, admission, create/update/delete rules, watches."""
