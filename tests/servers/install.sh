#!/bin/sh
# What the tests need besides Python: RabbitMQ, Redis, Java and Maven (MongoDB protocol), Chromium with a Chinese font, a C compiler.
# Quick when all is there. What it cannot have it names, and fails.
set -eu
missing=""
need() { # command package...
    command -v "$1" >/dev/null 2>&1 || { shift; missing="$missing $*"; }
}
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || need rabbitmq-server rabbitmq-server
need redis-server redis-server
need java default-jdk-headless
need javac default-jdk-headless
need mvn maven
need chromium chromium
need cc gcc libc6-dev
need node nodejs
need npm npm
fc-list 2>/dev/null | grep -qiE 'wqy|noto.*cjk|pingfang' || missing="$missing fontconfig fonts-wqy-zenhei"
clients() { # stock clients for tests/browser/test_stock_clients.py
    [ -d tests/clients/node_modules/ws ] || npm ci --prefix tests/clients --silent --no-audit --no-fund
}
[ -z "$missing" ] && clients && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    clients
    exit 0
fi
echo "the tests need:$missing (install them, e.g. sudo apt-get install$missing)" >&2
exit 1
