return { name = "with_data", fields = { { config = { type = "record", fields = {} } } } }
