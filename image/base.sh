#!/usr/bin/env bash
# Makes a base for the Dockerfile from Debian packages, for machines that reach no image registry. Needs root, Docker and mmdebstrap.
# Usage: image/base.sh NAME; the file system is cached by its recipe.
set -euo pipefail
packages=python3,python3-venv,python3-pip,ca-certificates suite=trixie
cache=${XDG_CACHE_HOME:-$HOME/.cache}/agentrollouts/image
recipe=$suite-$(echo "$packages" | sha256sum | cut -c1-12)
bare=$cache/$recipe.tar image=$1-$recipe
mkdir -p "$cache"
if ! [ -e "$bare" ]; then
  mmdebstrap --quiet --variant=apt --include="$packages" --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$cache/part.tar"
  mv "$cache/part.tar" "$bare"  # a rename: an interrupted run leaves nothing that looks whole
fi
# Each import makes an image of its own, and then Docker builds everything on it again.
docker image inspect "$image" >/dev/null 2>&1 || docker import "$bare" "$image" >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# It trusts the certificates that this machine trusts, so that pip works in it. The Dockerfile has nothing of that.
cp /etc/ssl/certs/ca-certificates.crt "$work/"
cat > "$work/Dockerfile" <<END
FROM $image
COPY ca-certificates.crt /etc/ssl/certs/
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
END
docker build --quiet --tag "$1" "$work" >/dev/null
