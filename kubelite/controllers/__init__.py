"""The controllers: each brings the cluster's objects of some kinds closer to what their specs ask."""
