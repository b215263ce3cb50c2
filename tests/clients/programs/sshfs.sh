# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# sshfs, to an sshd of the tree's on 127.0.0.1.
package=sshfs
kinds='relinked unmodified'
tools='openssh-server openssh-client'
source=sshfs
suites='bookworm trixie sid'
elsewhere='http://archive.ubuntu.com/ubuntu/pool/universe/s/sshfs-fuse/sshfs-fuse_3.7.3.orig.tar.xz
	cf6852a396397659b7d8b9835c92a1b250dc685dcc8a84ce41a4cc0a13af8bb6'
build_needs='meson ninja-build libglib2.0-dev openssh-client'

build() {
	meson setup /mnt/b --prefix="$built"
	meson install -C /mnt/b
}

start_sshd() {
	local options
	ssh_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	tool ssh-keygen -q -t ed25519 -N '' -f /mnt/host-key
	tool ssh-keygen -q -t ed25519 -N '' -f /mnt/key
	cp /mnt/key.pub /mnt/authorized
	mkdir -p "$tree/run/sshd"
	options=(-o PidFile=none -o HostKey=/mnt/host-key -o AuthorizedKeysFile=/mnt/authorized -o StrictModes=no
		-o PermitRootLogin=yes -o UsePAM=no -o Subsystem='sftp internal-sftp' -o ListenAddress="127.0.0.1:$ssh_port")
	tool /usr/sbin/sshd -f /dev/null "${options[@]}"
	sshd=$(pgrep -x sshd | head -n 1)
	ssh_options=(-p "$ssh_port" -o IdentityFile=/mnt/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
		-o LogLevel=ERROR)
}

test_it() {
	start_sshd
	make_input /mnt/input
	start sshfs "${ssh_options[@]}" root@127.0.0.1:/mnt/input "$m"
	same /mnt/input "$m" '%P %y %m\n'
	readers "$m" /mnt/input 4
	writers "$m" 4
	metadata "$m"
	links "$m" 1 # the protocol has no count
	same /mnt/input "$m" '%P %y %m\n'
	stop
	start_foreground sshfs -f "${ssh_options[@]}" -o max_conns=2,reconnect root@127.0.0.1:/mnt/input "$m"
	readers "$m" /mnt/input 2
	terminate 1
	kill "$sshd"
}
