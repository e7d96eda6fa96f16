"""What every model is made of: the base class, scalar types and the marks that become part of the CRDs."""
