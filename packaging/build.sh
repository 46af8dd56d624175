#!/bin/bash
# Builds what is shipped, into target/packages:
#
#     packaging/build.sh [TARGET...]     targets of Rust; without one x86_64, aarch64 and powerpc64le, all musl
#
# For each a static program, .deb, .rpm and tarball; with all of them a Containerfile, an SBOM (CycloneDX) and SHA256SUMS.
# The same sources become the same files: times are those of the commit, and no path of this machine is in them.
#
# Needs Debian 12 (dpkg-dev, rpm, python3-venv), Rust by rustup, and the net at the first time: the C compiler for every target is zig,
# from PyPI, below target/packaging. Takes the time of a release build for each target (README.md).
#
# QAUDJRN_RELEASE (1)   the number of the package of this version
# QAUDJRN_COMMIT        what `--version` says, where neither git nor `git archive` knows it
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "build.sh: $*" >&2; exit 1; }
for tool in cargo rustup python3 dpkg-deb rpmbuild tar gzip; do
    command -v "$tool" >/dev/null || die "$tool is missing: apt-get install dpkg-dev rpm python3-venv, and https://rustup.rs"
done

root=$PWD
work=$root/target/packaging
out=$root/target/packages
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
release=${QAUDJRN_RELEASE:-1}
targets=("$@")
[ $# -gt 0 ] || targets=(x86_64-unknown-linux-musl aarch64-unknown-linux-musl powerpc64le-unknown-linux-musl)
# The time of the commit; of an archive, that of its files.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
mkdir -p "$work" "$out"

# One at a time: they share folders.
exec 9>"$work/lock"
flock 9

venv() { # the C compiler, and what the SBOM is judged by
    [ -e "$work/venv/done" ] && return
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet ziglang==0.17.1 'cyclonedx-python-lib[json-validation]==11.*'
    touch "$work/venv/done"
}

compile() { # TARGET
    local target=$1 arch=${1%%-*} flags=() name=${1//-/_}
    printf '#!/bin/bash\n# cc-rs names targets as Rust does, which zig does not know.\nargs=(); for a in "$@"; do case $a in --target=*) ;; *) args+=("$a") ;; esac; done\nexec "%s" -m ziglang cc -target %s-linux-musl "${args[@]}"\n' \
        "$work/venv/bin/python" "$arch" >"$work/cc-$arch"
    printf '#!/bin/bash\nexec "%s" -m ziglang ar "$@"\n' "$work/venv/bin/python" >"$work/ar"
    chmod +x "$work/cc-$arch" "$work/ar"
    export "CC_$name=$work/cc-$arch" "AR_$name=$work/ar" ZIG_GLOBAL_CACHE_DIR="$work/zig" ZIG_LOCAL_CACHE_DIR="$work/zig"
    export "CFLAGS_$name=-ffile-prefix-map=$root=. -ffile-prefix-map=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    local rustflags="--remap-path-prefix=$root=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    local linker
    linker=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_LINKER
    case $target in
        powerpc64le-unknown-linux-musl) # rustup has no std for it: it is built with the program, by the same compiler
            rustup component add rust-src
            export RUSTC_BOOTSTRAP=1 "$linker=$work/cc-$arch"
            rustflags+=" -Clink-self-contained=no -Ctarget-feature=+crt-static"
            flags=(-Zbuild-std=std,panic_abort)
            ;;
        *)
            rustup target add "$target"
            unset RUSTC_BOOTSTRAP
            export "$linker=rust-lld"
            ;;
    esac
    CARGO_PROFILE_RELEASE_STRIP=symbols RUSTFLAGS=$rustflags \
        cargo build --release --locked --bin qaudjrn --target "$target" "${flags[@]}"
    file -b "target/$target/release/qaudjrn" | grep -qE 'statically linked|static-pie' || die "$target: the program is not static"
}

pages() { # manual pages and completions, of the same command line
    cargo run --quiet --locked --profile ci --example pages -- "$work/pages"
    find "$work/pages/man" -type f ! -name '*.gz' -exec gzip -9nf {} +
}

# What a package puts on a machine, below a folder.
stage() { # TARGET FOLDER
    local to=$2 name
    rm -rf "$to"
    install -D "target/$1/release/qaudjrn" "$to/usr/bin/qaudjrn"
    install -Dm 644 packaging/systemd/qaudjrn.service "$to/usr/lib/systemd/system/qaudjrn.service"
    install -Dm 644 packaging/etc/agent.toml "$to/etc/qaudjrn/agent.toml"
    for name in "$work"/pages/man/*.1.gz; do install -Dm 644 -t "$to/usr/share/man/man1" "$name"; done
    for name in "$work"/pages/man/*.5.gz; do install -Dm 644 -t "$to/usr/share/man/man5" "$name"; done
    install -Dm 644 "$work/pages/completions/qaudjrn.bash" "$to/usr/share/bash-completion/completions/qaudjrn"
    install -Dm 644 "$work/pages/completions/_qaudjrn" "$to/usr/share/zsh/vendor-completions/_qaudjrn"
    install -Dm 644 "$work/pages/completions/qaudjrn.fish" "$to/usr/share/fish/vendor_completions.d/qaudjrn.fish"
    install -Dm 644 -t "$to/usr/share/doc/qaudjrn" README.md agent.toml.example
    install -Dm 644 -t "$to/usr/share/doc/qaudjrn/docs" docs/{GUIDE,INSTALL,RUNNING,FILTERS,FORMATS,KEYS,EVENTS,LIVE,DOCTOR,REPORT,STREAM,RELIABILITY,SECURITY,TROUBLESHOOTING,CONTROL,METRICS,PROFILES,SIEM}.md
    install -Dm 644 -t "$to/usr/share/doc/qaudjrn/docs/siem" docs/siem/*.md
    install -Dm 644 -t "$to/usr/share/doc/qaudjrn/monitoring" packaging/monitoring/*
    install -Dm 644 -t "$to/usr/share/doc/qaudjrn/systemd" packaging/systemd/examples/*.conf
}

# All times of a tree are that of the commit.
settle() { find "$1" -print0 | xargs -0r touch --no-dereference --date="@$SOURCE_DATE_EPOCH"; }

deb() { # TARGET
    local arch tree=$work/deb
    case ${1%%-*} in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; powerpc64le) arch=ppc64el ;; *) die "$1: how does Debian call it?" ;; esac
    stage "$1" "$tree"
    # Debian has units in /lib until its merge of /usr is over.
    mkdir -p "$tree/lib/systemd" && mv "$tree/usr/lib/systemd/system" "$tree/lib/systemd/" && rm -r "$tree/usr/lib"
    install -Dm 644 packaging/deb/copyright "$tree/usr/share/doc/qaudjrn/copyright"
    printf 'qaudjrn (%s-%s) unstable; urgency=medium\n\n  * %s\n\n -- %s  %s\n' "$version" "$release" \
        "See /usr/share/doc/qaudjrn/NEWS.md.gz for what changed." "$(sed -n 's/^Maintainer: //p' packaging/deb/control)" \
        "$(date -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$tree/usr/share/doc/qaudjrn/changelog.Debian.gz"
    gzip -9nc CHANGELOG.md >"$tree/usr/share/doc/qaudjrn/NEWS.md.gz"
    install -Dm 644 packaging/deb/lintian-overrides "$tree/usr/share/lintian/overrides/qaudjrn"
    mkdir "$tree/DEBIAN"
    sed "s/@VERSION@/$version-$release/; s/@ARCH@/$arch/; s/@SIZE@/$(du -sk --exclude=DEBIAN "$tree" | cut -f1)/" packaging/deb/control >"$tree/DEBIAN/control"
    install -m 755 packaging/deb/{postinst,prerm,postrm} "$tree/DEBIAN/"
    echo /etc/qaudjrn/agent.toml >"$tree/DEBIAN/conffiles"
    (cd "$tree" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\n' | sort | xargs md5sum >DEBIAN/md5sums)
    find "$tree" -type d -exec chmod 755 {} +
    settle "$tree"
    dpkg-deb --root-owner-group -Zxz --build "$tree" "$out/qaudjrn_$version-${release}_$arch.deb"
}

rpm_package() { # TARGET
    local arch tree=$work/rpm/tree
    case ${1%%-*} in powerpc64le) arch=ppc64le ;; *) arch=${1%%-*} ;; esac
    stage "$1" "$tree"
    mkdir -p "$tree/usr/share/zsh/site-functions"
    mv "$tree/usr/share/zsh/vendor-completions/_qaudjrn" "$tree/usr/share/zsh/site-functions/" && rmdir "$tree/usr/share/zsh/vendor-completions"
    install -Dm 644 -t "$tree/usr/share/licenses/qaudjrn" LICENSE-APACHE LICENSE-MIT
    find "$tree" -type d -exec chmod 755 {} +
    settle "$tree"
    rpmbuild --quiet -bb --target "$arch-linux" --define "_topdir $work/rpm" --define "_rpmdir $out" --define "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" \
        --define "tree $tree" --define "version_ $version" --define "release_ $release" --define "date_ $(date -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')" \
        --define "_buildhost qaudjrn" --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" \
        packaging/rpm/qaudjrn.spec
}

tarball() { # TARGET
    local name=qaudjrn-$version-${1%%-*}
    stage "$1" "$work/tar/$name"
    local to=$work/tar/$name
    mv "$to/usr/bin/qaudjrn" "$to/qaudjrn"
    mv "$to/usr/share/man" "$to/man"; mv "$to/usr/share/doc/qaudjrn"/* "$to/"
    mkdir "$to/completions"; cp "$work"/pages/completions/* "$to/completions/"
    mv "$to/usr/lib/systemd/system/qaudjrn.service" "$to/systemd/"
    mv "$to/etc/qaudjrn/agent.toml" "$to/agent.toml"
    rm -r "$to/usr" "$to/etc"
    cp LICENSE-APACHE LICENSE-MIT CHANGELOG.md "$to/"
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=rX -C "$work/tar" -c "$name" | gzip -9n >"$out/$name.tar.gz"
}

venv
for target in "${targets[@]}"; do compile "$target"; done
unset RUSTC_BOOTSTRAP
pages
rm -rf "$work/rpm" "$work/tar" && mkdir -p "$work/rpm"
for target in "${targets[@]}"; do deb "$target"; rpm_package "$target"; tarball "$target"; done
cp packaging/Containerfile "$out/"
"$work/venv/bin/python" packaging/sbom.py "$out/qaudjrn-$version.cdx.json" "${targets[@]}"
(cd "$out" && rm -f SHA256SUMS && sha256sum -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
ls -l "$out"
