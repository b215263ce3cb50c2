# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# What run.sh takes from Debian's mirror: packages for this machine, the Debian 13 tree, source packages. Sourced.

# The mirror that apt is set up with, whatever the format of its sources.
mirror() {
	apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' "Codename: $(. /etc/os-release
	echo "$VERSION_CODENAME")" | head -n 1
}

# Installs what this machine lacks for the rows given.
install_here() { # "FILE KIND"...
	local need='debootstrap python3 util-linux coreutils attr' row package missing=()
	[ -n "$prefix" ] || need+=' meson ninja-build pkg-config gcc libc6-dev fuse3'
	for row in "$@"; do
		case $row in *' relinked') need+=" dpkg-dev gcc libc6-dev pkg-config make $(field "${row% *}" build_needs)" ;; esac
	done
	for package in $need; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "installing ${missing[*]}"
	apt-get -qq update
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >"$out/apt.log" 2>&1 ||
		{ tail -n 20 "$out/apt.log"; return 1; }
}

# The tree is made under another name, so that one that was broken off is not taken for whole.
prepare_tree() { # "FILE KIND"...
	local row need='fuse3 attr' package missing=()
	if [ ! -e "$tree/etc/debian_version" ]; then
		echo "making a Debian 13 tree in $tree"
		rm -rf --one-file-system "$tree.part"
		debootstrap --variant=minbase trixie "$tree.part" "$(mirror)" >"$out/debootstrap.log" 2>&1 ||
			{ tail -n 20 "$out/debootstrap.log"; return 1; }
		cp /etc/apt/apt.conf.d/*proxy* "$tree.part/etc/apt/apt.conf.d/" 2>/dev/null
		mv "$tree.part" "$tree"
	fi
	for row in "$@"; do
		need+=" $(field "${row% *}" tools)"
		case $(field "${row% *}" from),$row in ,*' unmodified') need+=" $(field "${row% *}" package)" ;; esac
	done
	for package in $need; do
		[ -e "$tree/var/lib/dpkg/info/$package.list" ] || [ -e "$tree/var/lib/dpkg/info/$package:amd64.list" ] ||
			missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "installing into the tree: ${missing[*]}"
	cp -L /etc/resolv.conf "$tree/etc/resolv.conf" 2>/dev/null
	unshare --mount --propagation private bash -c '
		mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && chroot "$1" apt-get -qq update &&
		DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 chroot "$1" apt-get -qq install -y --no-install-recommends "${@:2}"
	' - "$tree" "${missing[@]}" >"$out/tree.log" 2>&1 || { tail -n 20 "$out/tree.log"; return 1; }
}

# The folder with the source of a row, once it has been fetched.
source_of() { # FILE KIND
	[ "$2" = relinked ] || return 0
	echo "$cache/source/$(field "$1" source)"
}

# apt with one suite as its only list, of type deb or deb-src; the system's own lists stay as they are.
apt_of() { # TYPE SUITE COMMAND...
	local lists=$cache/lists/$2-$1
	mkdir -p "$lists/partial"
	echo "$1 [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $2 main" >"$lists.list"
	apt-get -qq -o Dir::Etc::sourcelist="$lists.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$lists" \
		-o APT::Sandbox::User=root -o Acquire::Retries=3 "${@:3}"
}

# Has apt read the list of a suite, if it is older than 10 hours.
fresh() { # TYPE SUITE
	local mark=$cache/lists/$2-$1.fresh
	[ -z "$(find "$mark" -mmin -600 2>/dev/null)" ] || return 0
	apt_of "$1" "$2" update && touch "$mark"
}

# Binary packages of another suite than the tree's (`from` in a program's description), which go beside the tree.
fetch_others() { # "FILE KIND"...
	local row package suite
	for row in "$@"; do
		suite=$(field "${row% *}" from)
		case $suite,$row in ,* | *' relinked') continue ;; esac
		package=$(field "${row% *}" package)
		[ ! -e "$cache/$suite/$package.deb" ] || continue
		echo "fetching $package of $suite"
		mkdir -p "$cache/$suite/part"
		(cd "$cache/$suite/part" && rm -f ./* && fresh deb "$suite" && apt_of deb "$suite" download "$package" &&
			mv "$package"_*.deb "../$package.deb") >"$out/$package-fetch.log" 2>&1 || tail -n 5 "$out/$package-fetch.log"
	done
}

# Fetches the source package of each relinked row into the cache: from --sources, or from the first suite that has all
# of it. What a suite lacks may be in the folder of another one. Where no package can be made whole, the upstream
# tarball is enough, without Debian's patches; where there is none either, NAME/lacking says what each suite lacks.
fetch_sources() { # "FILE KIND"...
	local row name suite
	local -A tried=()
	for row in "$@"; do
		case $row in *' relinked') ;; *) continue ;; esac
		name=$(field "${row% *}" source)
		[ -z "${tried[$name]:-}" ] || continue
		tried[$name]=yes
		[ ! -e "$cache/source/$name/done" ] || continue
		! from_folder "$name" || continue
		echo "fetching the source of $name"
		mkdir -p "$cache/source/$name"
		: >"$cache/source/$name/lacking"
		for suite in $(field "${row% *}" suites); do
			if fetch_source "$name" "$suite" || complete "$name"; then break; fi
		done
		[ -e "$cache/source/$name/done" ] || fetch_elsewhere "${row% *}" "$name"
	done
}

# Upstream's tarball as another distribution keeps it (`elsewhere` in a program's description: address and SHA-256), for when
# Debian's mirror has none. It may also make one of Debian's packages whole.
fetch_elsewhere() { # FILE NAME
	local address sum into=$cache/source/$2/elsewhere
	read -rd '' address sum <<<"$(field "$1" elsewhere)"
	[ -n "$address" ] || return 0
	mkdir -p "$into"
	/usr/lib/apt/apt-helper download-file "$address" "$into/${address##*/}" "SHA256:$sum" >>"$out/source.log" 2>&1 ||
		{ echo "elsewhere: $address could not be had, see source.log" >>"$cache/source/$2/lacking" && return 0; }
	! complete "$2" || return 0
}

# --sources: a folder with NAME (a tree), or NAME_VERSION.dsc and what belongs to it, or NAME_VERSION.orig.tar.*
from_folder() { # NAME
	local into=$cache/source/$1/given file
	[ -n "$sources" ] || return 1
	rm -rf "$into"
	mkdir -p "$into"
	if [ -d "$sources/$1" ]; then
		tar -C "$sources" --exclude-vcs -cf "$into/$1_given.orig.tar" "$1"
	else
		for file in "$sources/$1"[_-]*; do [ ! -f "$file" ] || cp "$file" "$into/"; done
	fi
	[ -n "$(ls "$into")" ] || { rmdir "$into" && return 1; }
	echo "the source of $1 is that in $sources"
	! complete "$1" || return 0
}

# Has apt fetch what a suite has of a source package, and notes what it lacks.
fetch_source() { # NAME SUITE
	local into=$cache/source/$1/$2 said
	mkdir -p "$into"
	if said=$(cd "$into" && fresh deb-src "$2" 2>&1 && apt_of deb-src "$2" source --download-only "$1" 2>&1); then
		ln -sfn "$2" "$cache/source/$1/done"
		return 0
	fi
	echo "$2: $said" >>"$out/source.log"
	said=$(sed -n 's/^E: Failed to fetch [^ ]*\/\([^ ]*\) *\(.*\)/\1 (\2)/p; s/^E: \(Unable to find.*\)/\1/p; s/^E: \(The rep.*\)/\1/p' \
		<<<"$said" | sed 's/ *\[IP: [^]]*\]//; s/%7e/~/' | sort -u | paste -sd , | sed 's/,/, /g')
	echo "$2 lacks ${said:-it, see source.log}" >>"$cache/source/$1/lacking"
	return 1
}

# Looks in all folders of a source package for what belongs to one of its .dsc files, which has the checksums.
complete() { # NAME
	local dsc folder sum file from
	for dsc in "$cache/source/$1"/*/*.dsc; do
		folder=${dsc%/*}
		while read -r sum file; do
			[ ! -e "$folder/$file" ] || continue
			for from in "$cache/source/$1"/*/"$file"; do
				[ ! -e "$from" ] || ! sha256sum --quiet -c <<<"$sum  $from" 2>/dev/null || ln "$from" "$folder/$file"
			done
			[ -e "$folder/$file" ] || continue 2
		done < <(sed -n '/^Checksums-Sha256:/,/^[^ ]/s/^ \([0-9a-f]\{64\}\) [0-9]* \(.*\)/\1 \2/p' "$dsc" 2>/dev/null)
		[ -e "$dsc" ] || return 1
		ln -sfn "${folder##*/}" "$cache/source/$1/done"
		return 0
	done
	return 1
}
