# Shared by the wrappers in this folder; sourced with $root set to the checkout. POSIX sh.
#
# It brings a machine with any Node and npm 10 to 12 to the point where our own Node can run our own source:
# dependencies installed as the lockfile says, and $node set. Everything it says goes to stderr, because
# stdout belongs to the program that is about to run (`scripts/demo --json` is read by machines).

min_node=22.18
lock_dir=$root/.install-lock
lock_deadline_s=600
install_log=$root/install.log
# The lockfile as it was installed. Its content is compared, not its age: git sets new times on old content.
stamp=$root/node_modules/.installed-package-lock.json

say() { printf 'cumulo: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

installed() {
  [ -d "$root/node_modules" ] || return 1
  cmp -s "$root/package-lock.json" "$stamp" && return 0
  # npm writes its own hidden lockfile last, so one newer than ours means somebody ran npm by hand and it finished.
  hidden=$root/node_modules/.package-lock.json
  [ -f "$hidden" ] && [ -n "$(find "$hidden" -newer "$root/package-lock.json")" ]
}

# kill -0 also fails for a living process of another user; /proc, where there is one, knows better.
alive() { [ -n "$1" ] && { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ]; }; }

lock_pids() { cat "$lock_dir/wrapper" "$lock_dir/npm" 2>/dev/null | tr '\n' ' '; }

lock_is_stale() {
  pids=$(lock_pids)
  if [ -z "$pids" ]; then
    # Taken this instant, or its owner died between mkdir and writing its pid: give it five seconds.
    unnamed_s=$((unnamed_s + 1))
    [ "$unnamed_s" -gt 5 ]
    return
  fi
  # npm's pid counts too: it outlives a wrapper that was killed with -9.
  for pid in $pids; do alive "$pid" && return 1; done
  return 0
}

# Renaming is atomic, so of several who saw the same dead owner one wins; if what was moved turns out to be
# a new owner's lock after all, it goes back.
break_stale_lock() {
  aside=$lock_dir.stale.$$
  mv "$lock_dir" "$aside" 2>/dev/null || return 0
  if [ "$(cat "$aside/wrapper" "$aside/npm" 2>/dev/null | tr '\n' ' ')" = "$pids" ]; then
    rm -rf "$aside"
  else
    mv "$aside" "$lock_dir" 2>/dev/null || rm -rf "$aside"
  fi
}

take_lock() {
  waited_s=0
  unnamed_s=0
  until mkdir "$lock_dir" 2>/dev/null; do
    [ -d "$lock_dir" ] || [ -w "$root" ] || die "cannot install dependencies because $root is not writable; run this once as its owner."
    if lock_is_stale; then
      break_stale_lock
      continue
    fi
    [ "$waited_s" -ne 0 ] || say "waiting for another run that is installing or building..."
    [ "$waited_s" -lt "$lock_deadline_s" ] ||
      die "another run (pid $(lock_pids)) has been installing for $((lock_deadline_s / 60)) minutes; stop it, or remove $lock_dir if it is gone."
    sleep 1
    waited_s=$((waited_s + 1))
  done
  echo $$ >"$lock_dir/wrapper"
}

run_npm_ci() {
  begin_s=$(date +%s)
  say "installing dependencies from the npm registry (once; usually under a minute)..."
  # In the background, so that its pid can be written down and signals passed on. Dev and optional packages are
  # asked for by name since NODE_ENV=production would leave them out, and Node itself is one of them.
  (cd "$root" && exec npm ci --no-audit --no-fund --no-progress --loglevel=error --include=dev --include=optional) \
    >"$install_log" 2>&1 </dev/null &
  npm_pid=$!
  echo "$npm_pid" >"$lock_dir/npm"
  # The lock goes when npm has ended, or the next run would install beside it.
  trap 'kill "$npm_pid" 2>/dev/null; wait "$npm_pid"; rm -rf "$lock_dir"; exit 130' INT TERM HUP
  if ! wait "$npm_pid"; then
    tail -n 15 "$install_log" >&2
    die "installing dependencies failed; check that the npm registry is reachable and run this again (npm's whole output is in $install_log)."
  fi
  cp "$root/package-lock.json" "$stamp"
  rm -f "$install_log"
  say "installed in $(($(date +%s) - begin_s)) s."
}

# In a subshell: its traps and its exit code end with it.
ensure_installed() (
  installed && exit 0
  command -v npm >/dev/null 2>&1 ||
    die "npm was not found; install Node.js with npm (any version from 20 on) and run this again."
  take_lock
  trap 'rm -rf "$lock_dir"' EXIT
  # Somebody else may have finished while we waited.
  installed || run_npm_ci
)

# True if $1 starts on this machine (wrong libc or architecture: it does not) and is new enough.
# `-v` answers before V8 starts, so asking every time costs a few milliseconds.
usable_node() {
  version=$("$1" -v 2>/dev/null) || return 1
  version=${version#v}
  major=${version%%.*}
  minor=${version#*.}
  minor=${minor%%.*}
  [ "$major" -gt "${min_node%.*}" ] || { [ "$major" -eq "${min_node%.*}" ] && [ "$minor" -ge "${min_node#*.}" ]; }
}

# Sets $node: the one from the lockfile, else the machine's own.
pick_node() {
  node=$root/node_modules/.bin/node
  usable_node "$node" && return 0
  node=$(command -v node) && usable_node "$node" && return 0
  die "no Node.js >= $min_node for this machine was found; install one from your system's packages or nodejs.org and run this again."
}

# Of the dashboard's sources, by content: git sets new times on old files.
page_sum() (
  cd "$root" &&
    find src/dashboard src/client scripts/build-dashboard.ts package-lock.json -type f 2>/dev/null |
    LC_ALL=C sort | xargs cksum | cksum
)

# A build that failed counts until the sources change, or every run would try again; build.log then says why.
built() {
  [ -f "$root/dist/dashboard/index.html" ] || [ -f "$root/build.log" ] || return 1
  [ "$(cat "$root/dist/dashboard.stamp" 2>/dev/null)" = "$page_sum" ]
}

run_build() {
  say "building the dashboard (once; a few seconds)..."
  "$node" --disable-warning=ExperimentalWarning "$root/scripts/build-dashboard.ts" >"$root/build.log" 2>&1 </dev/null &
  build_pid=$!
  echo "$build_pid" >"$lock_dir/npm"
  trap 'kill "$build_pid" 2>/dev/null; wait "$build_pid"; rm -rf "$lock_dir"; exit 130' INT TERM HUP
  if wait "$build_pid"; then
    rm -f "$root/build.log"
  else
    tail -n 15 "$root/build.log" >&2
    say "the dashboard could not be built; the daemon runs without it (the whole output is in $root/build.log)."
  fi
  printf '%s\n' "$page_sum" >"$root/dist/dashboard.stamp"
}

# Where nothing can be built (no packages for development, a folder of somebody else) the daemon serves what there is.
ensure_built() (
  [ -f "$root/node_modules/vite/package.json" ] && [ -f "$root/scripts/build-dashboard.ts" ] || exit 0
  page_sum=$(page_sum)
  built && exit 0
  [ -w "$root" ] && mkdir -p "$root/dist" 2>/dev/null && [ -w "$root/dist" ] || exit 0
  take_lock
  trap 'rm -rf "$lock_dir"' EXIT
  built || run_build
)

# Replaces this process by our Node running a source file: run_source src/cli/main.ts "$@"
run_source() {
  source_file=$root/$1
  shift
  [ -f "$source_file" ] || die "$source_file is missing; this checkout is incomplete."
  NODE_COMPILE_CACHE=${NODE_COMPILE_CACHE-$root/node_modules/.cache/v8}
  export NODE_COMPILE_CACHE
  # Type stripping is marked experimental in Node 22; nobody at a terminal needs to read that.
  exec "$node" --disable-warning=ExperimentalWarning "$source_file" "$@"
}

ensure_installed || exit $?
pick_node
ensure_built || :
