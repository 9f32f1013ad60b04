return { PRIORITY = 1, VERSION = "one" }
