# Sourced by the other scripts: a Python, its virtual environment, and what is installed there.
# Needs nothing but a Debian or Ubuntu with Python 3.11 or newer.

set -eu
cd "$(dirname "$0")/.."

if [ -z "${OMP_NUM_THREADS:-}" ]; then
    cores=$(nproc 2>/dev/null || echo 2)
    OMP_NUM_THREADS=$((cores < 4 ? cores : 4))
    export OMP_NUM_THREADS
fi
# Modules are compiled by the first process that imports them, not by every one of hundreds.
unset PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUTF8=1

fail() {
    echo "$*" >&2
    exit 1
}

# system PACKAGE...: install Debian packages where that is allowed, otherwise say which are missing.
system() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        fail "These system packages are missing:$missing. Install them with: sudo apt-get install$missing"
    fi
    echo "installing system packages:$missing"
    # shellcheck disable=SC2086  # several words are meant
    { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing; } \
        >/dev/null || fail "These system packages could not be installed:$missing"
}

# libraries FILE:PACKAGE...: install the packages whose shared library is not here.
libraries() {
    wanted=""
    for pair in "$@"; do
        "$(command -v ldconfig || echo /sbin/ldconfig)" -p | grep -q "${pair%%:*} " || wanted="$wanted ${pair#*:}"
    done
    # shellcheck disable=SC2086  # several words are meant
    [ -z "$wanted" ] || system $wanted
}

# Pythons for which requirements/ says what to install.
LOCKED_PYTHONS="3.11 3.12 3.13 3.14"

# Prints version and path of a locked Python that can make an environment, or nothing. It is never one of an environment,
# which may be the one that is made anew.
find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python3.14; do
        found=$("$candidate" -c 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2], sys._base_executable)' 2>/dev/null) || continue
        case " $LOCKED_PYTHONS " in *" ${found%% *} "*)
            echo "$found"
            return
            ;;
        esac
    done
}

# What tests and checks need: extras of setup.cfg, and what Qt links to even where there is no screen.
TEST_EXTRAS=test,models,cluster,formats,remote,napari,browser
QT_LIBRARIES="libEGL.so.1:libegl1 libGL.so.1:libgl1 libxkbcommon.so.0:libxkbcommon0 libdbus-1.so.3:libdbus-1-3
    libfontconfig.so.1:libfontconfig1 libglib-2.0.so.0:libglib2.0-0"
DISPLAY_LIBRARIES="libxkbcommon-x11.so.0:libxkbcommon-x11-0 libxcb-cursor.so.0:libxcb-cursor0 libxcb-icccm.so.4:libxcb-icccm4
    libxcb-image.so.0:libxcb-image0 libxcb-keysyms.so.1:libxcb-keysyms1 libxcb-randr.so.0:libxcb-randr0
    libxcb-render-util.so.0:libxcb-render-util0 libxcb-shape.so.0:libxcb-shape0 libxcb-xinerama.so.0:libxcb-xinerama0
    libxcb-xkb.so.1:libxcb-xkb1"

# configured NAME: what pip is told by its files or variables.
configured() {
    "$folder/bin/python" -m pip config list | sed -n "s/^[^=]*\\.$1='\\(.*\\)'\$/\\1/p" | tail -n 1
}

# Tells uv what pip is told, since uv does not read pip's settings.
package_sources() {
    for pair in index-url:UV_DEFAULT_INDEX find-links:UV_FIND_LINKS cert:SSL_CERT_FILE; do
        told=$(configured "${pair%%:*}")
        [ -z "$told" ] || export "${pair#*:}=$told"
    done
}

install_uv() {
    "$folder/bin/python" -m pip install --quiet --quiet --constraint requirements/build.txt uv
}

# install WORD...: uv needs a third of pip's time; where it fails, pip does it.
install() (
    package_sources
    # A build of torch for GPUs is gigabytes; pip's own settings, where there are any, know better where packages are.
    if ! command -v nvidia-smi >/dev/null && [ -z "${UV_DEFAULT_INDEX:-}${UV_FIND_LINKS:-}" ]; then
        export UV_TORCH_BACKEND="${UV_TORCH_BACKEND:-cpu}"
    fi
    # What comes as source is built with locked tools, too. Older versions of pip know the first name only.
    export PIP_CONSTRAINT=requirements/build.txt PIP_BUILD_CONSTRAINT=requirements/build.txt
    {
        install_uv &&
            "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --build-constraint requirements/build.txt "$@"
    } || "$folder/bin/python" -m pip install --quiet --quiet --no-compile "$@"
)

# environment FOLDER EXTRAS: make the virtual environment, or bring it up to date, and put it first on the path.
# With NEWEST set, it is a new one of today's versions.
environment() {
    folder=${NEWEST:+.venv-newest}
    folder=${folder:-$1}
    extras=$2
    found=$(find_python)
    if [ -z "$found" ]; then
        system python3 python3-venv
        found=$(find_python)
        [ -n "$found" ] || fail "One of Python $LOCKED_PYTHONS with its venv module is needed; this machine has $(python3 -V 2>&1)."
    fi
    python=${found#* }
    lock=requirements/python-${found%% *}.txt
    stamp=$(cat setup.cfg pyproject.toml "$lock" requirements/build.txt | cksum)" $extras $python"
    if [ -n "${FRESH:-}${NEWEST:-}" ] || [ "$(cat "$folder/stamp" 2>/dev/null)" != "$stamp" ]; then
        rm -rf "$folder"
        echo "installing into $folder ($extras)"
        "$python" -m venv "$folder"
        if [ -n "${NEWEST:-}" ]; then
            install --constraint requirements/torch.txt --editable ".[$extras]"
        else
            install --constraint "$lock" --editable ".[$extras]"
            "$folder/bin/python" scripts/locked.py || fail "That is not what $lock says. scripts/lock brings it up to date with setup.cfg."
        fi
        echo "$stamp" >"$folder/stamp"
    fi
    PATH="$PWD/$folder/bin:$PATH"
    export PATH
}
