"""What the administrator of the operator decides, in one YAML file: never in the object of a tenant."""
