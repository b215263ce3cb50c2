# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# httpdirfs: the files of a web server, here Python's.
package=httpdirfs
kinds='relinked unmodified'
tools=''
source=httpdirfs
suites='bookworm trixie sid'
build_needs='meson ninja-build libcurl4-openssl-dev libgumbo-dev libexpat1-dev uuid-dev libssl-dev'

build() {
	if [ -e meson.build ]; then
		meson setup /mnt/b --prefix="$built"
		meson install -C /mnt/b
	else
		make -j2 prefix="$built" install
	fi
}

test_it() {
	local port
	mkdir -p /mnt/www/sub
	cp "$tree"/usr/bin/{bash,dpkg,apt-get} /mnt/www/
	cp "$tree"/usr/bin/perl /mnt/www/sub/
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	cp "$(dirname "$file")/../range_server.py" /mnt/
	python3 /mnt/range_server.py "$port" /mnt/www >/mnt/www.log 2>&1 &
	within 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null
	start_foreground httpdirfs -f "http://127.0.0.1:$port/" "$m"
	same /mnt/www "$m" '%P %y\n'
	readers "$m" /mnt/www 3
	refuses_writes "$m"
	stop
}
