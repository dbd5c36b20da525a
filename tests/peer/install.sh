#!/bin/sh
# usage: tests/peer/install.sh FOLDER
# Installs the npm package load-process-manager in FOLDER, unless it is there. Exit status 77, with the reason on standard output:
# there is no node, no npm, or no registry to have the package from.

package=load-process-manager@1.3.3

skip() {
    echo "$1"
    exit 77
}

command -v node > /dev/null 2>&1 || skip "there is no node"
mkdir -p "$1"
if [ ! -d "$1/node_modules/load-process-manager" ]; then
    command -v npm > /dev/null 2>&1 || skip "there is no npm"
    [ -f "$1/package.json" ] || echo '{"private": true}' > "$1/package.json"
    (cd "$1" && npm install --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=20000 "$package") \
        > "$1/npm.log" 2>&1 || skip "npm could not install $package: see $1/npm.log"
fi
