local x
::top::
if x then goto top end
do goto done end
local y
do
  local z
  goto inner
  ::inner::
  ::second::
end
repeat
  if x then goto continue end
  do break end
  ::continue::
until x
for i = 1, 2 do goto skip; local v = i ::skip:: end
::done::
