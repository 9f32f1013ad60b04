return { run = function() end }
-- ends in \r\n
