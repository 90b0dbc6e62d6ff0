"""Claims and volumes: binding, the provisioner, protection of what is in use."""
