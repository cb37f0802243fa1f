"""Who does what, one message at a time: the pykka actors, and what actors need."""
