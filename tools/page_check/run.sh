#!/bin/sh
# The pages of the founding incidents in Debian's Chromium. Without one: in CI it is installed, elsewhere this is skipped
# aloud. A second argument is a folder for pictures.
set -eu
pages=$1
pictures=${2:-}
browser() {
  for place in "${CHROMIUM:-}" chromium chromium-browser google-chrome chromium-headless-shell; do
    if [ -n "$place" ] && command -v "$place" >/dev/null; then command -v "$place"; return 0; fi
  done
  return 1
}
if ! found=$(browser); then
  if [ -z "${CI:-}" ]; then
    echo "pages: SKIPPED, no Chromium here (apt-get install chromium, or name one in CHROMIUM)" >&2
    exit 0
  fi
  sudo=$(command -v sudo || true)
  { $sudo apt-get update -qq && $sudo apt-get install -qq -y --no-install-recommends chromium >/dev/null; } ||
    { echo "pages: no Chromium, and apt-get could not install one" >&2; exit 1; }
  found=$(browser) || { echo "pages: apt-get installed no Chromium" >&2; exit 1; }
fi
cd "$(dirname "$0")"
CHROMIUM=$found node check.mjs "$pages" $pictures
