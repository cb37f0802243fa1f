"""Who does what, one message at a time: pykka actors, and the fleet that finds and mends them."""
