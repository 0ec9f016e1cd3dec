"""What PDSNO takes from other tools and gives to them; it never writes into theirs."""
