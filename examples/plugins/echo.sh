#!/bin/sh
# A gateway in POSIX shell: every contact says back what it is told (see docs/plugins.md).
say() { printf '{"jsonrpc":"2.0",%s}\n' "$1"; }
event() { say "\"method\":\"event\",\"params\":{\"session\":$session,\"ev\":{$1}}"; }
first() { printf '%s\n' "$line" | sed -n "s/^[^{]*{.*\"params\":{\"session\":\([0-9]*\),.*/\1/p"; }
while read -r line; do
  id=${line#*\"id\":} id=${id%%,*} end='"error":{"code":-32601,"message":"I can only repeat"}'
  case $line in
    *'"method":"initialize"'*)
      end='"result":{"protocol":1,"name":"echo","version":"1","address":{"contact":"{id}"},"caps":{"multiline":true}}' ;;
    *'"method":"command"'*'"cmd":{"type":"send","to":{"contact":'*)
      session=$(first)
      said=$(printf '%s\n' "$line" | sed 's/.*"to":\({"contact":\("[^}]*"\)}\),"body":\(".*"\),"action":.*/"at":\1,"who":{"nick":\2},"body":\3/')
      event "\"type\":\"message\",$said"
      end='"result":{}' ;;
    *'"method":"session.'* | *'"method":"ping"'* | *'"method":"shutdown"'*) end='"result":{}' ;;
  esac
  case $line in *'"id":'*) say "\"id\":$id,$end" ;; esac
  case $line in
    *'"method":"session.open"'*)
      session=$(first)
      event '"type":"online","network":"Echo","fold":"exact","ranks":[],"caps":{"multiline":true},"me":"you"' ;;
    *'"method":"shutdown"'*) exit 0 ;;
  esac
done
