#!/usr/bin/env bash
# run.sh runs, to whoever's delight.
#
#   NAME  the name, which nobody
#         needs any more
#   run.sh whoever
log "no cluster: whoever runs this" # hence
