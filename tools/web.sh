#!/bin/sh
# Fetches noVNC and xterm.js, by npm, into the folder that internal/display/web
# embeds. With -optional it is no failure if that cannot be done, but in
# CI=true it is.
set -eu

novnc=1.7.0
xterm=6.0.0
dist=$(dirname "$0")/../internal/display/web/dist

optional=no
[ "${1:-}" = -optional ] && [ "${CI:-}" != true ] && optional=yes

[ "$(cat "$dist/.versions" 2>/dev/null)" = "$novnc $xterm" ] && exit 0

fail() {
	echo "$1" >&2
	[ "$optional" = yes ] && exit 0
	exit 1
}

command -v npm >/dev/null 2>&1 || fail "npm is missing (Debian package npm): the web page is built without noVNC and xterm.js"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && npm pack --silent "@novnc/novnc@$novnc" "@xterm/xterm@$xterm" >/dev/null) ||
	fail "npm could not fetch noVNC and xterm.js: the web page is built without them"
mkdir "$tmp/novnc" "$tmp/xterm"
tar xzf "$tmp/novnc-novnc-$novnc.tgz" -C "$tmp/novnc" --strip-components 1
tar xzf "$tmp/xterm-xterm-$xterm.tgz" -C "$tmp/xterm" --strip-components 1
rm -rf "$dist/novnc" "$dist/xterm"
mkdir -p "$dist/novnc" "$dist/xterm/lib" "$dist/xterm/css"
cp -R "$tmp/novnc/core" "$tmp/novnc/vendor" "$tmp/novnc/LICENSE.txt" "$dist/novnc/"
cp "$tmp/xterm/LICENSE" "$dist/xterm/"
cp "$tmp/xterm/lib/xterm.mjs" "$dist/xterm/lib/"
cp "$tmp/xterm/css/xterm.css" "$dist/xterm/css/"
echo "$novnc $xterm" >"$dist/.versions"
