return { { name = "2016_init", up = [[ SELECT 1; ]], down = [[ SELECT 1; ]] } }
