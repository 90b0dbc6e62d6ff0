"""What carries pod traffic: name service and service rules."""
