local H = {
	PRIORITY = "1000", VERSION = "1.0.0",
}
return H
