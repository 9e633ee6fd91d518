"""Source contracts: what each delivered file must look like, and everything derived from it."""
