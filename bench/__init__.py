"""How fast the gateway is, beside no gateway and beside its peers. Every reply is checked."""
