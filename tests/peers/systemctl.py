#!/usr/bin/env python3
"""A stand-in for systemctl, for machines without a running systemd, such as containers of CI.

Behaviour, texts and exit statuses are those of systemctl(1), "COMMANDS" and "EXIT STATUS", and systemd.service(5), "COMMAND
LINES", of systemd 252: unit files are read from $SYSTEMD_UNIT_PATH and kept until daemon-reload; start runs ExecStart as a process of
its own session with Environment= and nothing else; a program that cannot be run fails with 203/EXEC; is-active prints one word and ends
with 0 only for `active`, with 3 otherwise, with 4 for unknown units; stop sends SIGTERM and later SIGKILL.
It differs in this: Type=notify is as Type=simple, Restart= starts nothing again, dependencies between units (After=, Wants=, Requires=)
are read over, and User= is taken only when it runs as root.
State is in $SYSTEMCTL_STATE. With a file `break-VERB` there, VERB fails once, as it does without a bus.
"""
import json, os, pwd, shutil, signal, sys, time

UNITS = os.environ["SYSTEMD_UNIT_PATH"]
STATE = os.environ["SYSTEMCTL_STATE"]
VERBS = {"daemon-reload", "enable", "disable", "start", "stop", "restart", "is-active", "is-enabled", "show", "status"}


def path(unit, what):
    return os.path.join(STATE, unit + "." + what)


def fail(text, status):
    print(text, file=sys.stderr)
    sys.exit(status)


def words(line):
    """Words of a command line: quotes, backslashes and %% and $$ (systemd.syntax(7))."""
    out, word, quote, inside, i = [], "", None, False, 0
    escapes = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "s": " "}
    while i < len(line):
        c = line[i]
        if c == "\\" and i + 1 < len(line):
            if line[i + 1] == "x":
                word, i, inside = word + chr(int(line[i + 2 : i + 4], 16)), i + 4, True
                continue
            word, i, inside = word + escapes.get(line[i + 1], line[i + 1]), i + 2, True
            continue
        if quote:
            if c == quote:
                quote = None
            else:
                word += c
        elif c in "\"'":
            quote, inside = c, True
        elif c.isspace():
            if inside:
                out.append(word)
            word, inside = "", False
        else:
            word, inside = word + c, True
        i += 1
    if inside:
        out.append(word)
    return [w.replace("%%", "%") for w in out]


def load(unit, again=False):
    kept = path(unit, "loaded")
    if again or not os.path.exists(kept):
        file = os.path.join(UNITS, unit)
        if not os.path.exists(file):
            # A unit that runs stays known when its file is gone.
            if os.path.exists(kept) and active(unit) != "active":
                os.remove(kept)
            if not os.path.exists(kept):
                return None
        else:
            shutil.copy(file, kept)
    unit_file = {}
    for line in open(kept, encoding="utf-8"):
        line = line.rstrip("\n")
        if "=" in line and not line.startswith(("#", ";", "[")):
            name, value = line.split("=", 1)
            unit_file.setdefault(name.strip(), []).append(value.strip())
    return unit_file


def status_of(unit):
    try:
        return json.load(open(path(unit, "status")))
    except FileNotFoundError:
        return {}


def set_status(unit, **fields):
    new = path(unit, "status.new")
    json.dump(fields, open(new, "w"))
    os.replace(new, path(unit, "status"))


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def active(unit):
    status = status_of(unit)
    if not status:
        return "inactive"
    if status["state"] == "running":
        return "active" if alive(status["pid"]) else "failed"
    return status["state"]


def stop(unit):
    status = status_of(unit)
    if active(unit) == "active":
        set_status(unit, state="stopping", pid=status["pid"])
        for sent, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
            try:
                os.killpg(status["pid"], sent)
            except ProcessLookupError:
                break
            end = time.monotonic() + patience
            while alive(status["pid"]) and time.monotonic() < end:
                time.sleep(0.02)
            if not alive(status["pid"]):
                break
    if status:
        set_status(unit, state="inactive", pid=0)


def start(unit):
    unit_file = load(unit)
    if unit_file is None:
        fail("Failed to start %s: Unit %s not found." % (unit, unit), 5)
    if active(unit) == "active":
        return
    argv = [w.replace("$$", "$") for w in words(unit_file["ExecStart"][-1])]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    for line in unit_file.get("Environment", []):
        for assignment in words(line):
            name, value = assignment.split("=", 1)
            environment[name] = value
    read, write = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        os.setsid()
        os.close(read)
        log = os.open(path(unit, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        child = os.fork()
        if child == 0:
            os.setsid()
            os.close(write)
            os.chdir(unit_file.get("WorkingDirectory", ["/"])[-1])
            user = unit_file.get("User", ["root"])[-1]
            if os.geteuid() == 0 and user != "root":
                try:
                    entry = pwd.getpwnam(user)
                except KeyError:
                    os._exit(217)
                os.setgid(entry.pw_gid)
                os.setuid(entry.pw_uid)
            try:
                os.execve(argv[0], argv, environment)
            except OSError as error:
                os.write(2, ("%s: %s\n" % (argv[0], error)).encode())
                os._exit(203)
        os.write(write, str(child).encode())
        os.close(write)
        _, code = os.waitpid(child, 0)
        # Ended by itself, and not by stop.
        status = status_of(unit)
        if status.get("state") == "running" and status.get("pid") == child:
            set_status(unit, state="inactive" if code == 0 else "failed", pid=0)
        os._exit(0)
    os.close(write)
    pid = int(os.read(read, 20))
    set_status(unit, state="running", pid=pid)
    if not alive(pid):
        set_status(unit, state="failed", pid=0)


def main(arguments):
    flags = [a for a in arguments if a.startswith("-")]
    rest = [a for a in arguments if not a.startswith("-")]
    if not rest or rest[0] not in VERBS:
        fail("Unknown command verb %s." % (rest[0] if rest else ""), 1)
    verb, units = rest[0], rest[1:]
    os.makedirs(STATE, exist_ok=True)
    with open(os.path.join(STATE, "calls"), "a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    broken = os.path.join(STATE, "break-" + verb)
    if os.path.exists(broken):
        os.remove(broken)
        fail("Failed to connect to bus: No such file or directory", 1)
    if verb == "daemon-reload":
        for name in os.listdir(STATE):
            if name.endswith(".loaded"):
                load(name[: -len(".loaded")], again=True)
        return 0
    for unit in units:
        file = os.path.join(UNITS, unit)
        link = os.path.join(UNITS, "multi-user.target.wants", unit)
        if verb == "enable":
            if not os.path.exists(file):
                fail("Failed to enable unit: Unit file %s does not exist." % unit, 1)
            if not os.path.lexists(link):
                os.makedirs(os.path.dirname(link), exist_ok=True)
                os.symlink(file, link)
                print("Created symlink %s → %s." % (link, file), file=sys.stderr)
            if "--now" in flags:
                start(unit)
        elif verb == "disable":
            if not os.path.exists(file) and not os.path.lexists(link):
                fail("Failed to disable unit: Unit file %s does not exist." % unit, 1)
            if os.path.lexists(link):
                os.remove(link)
                print('Removed "%s".' % link, file=sys.stderr)
            if "--now" in flags:
                stop(unit)
        elif verb == "start":
            start(unit)
        elif verb == "stop":
            if load(unit) is None and active(unit) != "active":
                fail("Failed to stop %s: Unit %s not loaded." % (unit, unit), 5)
            stop(unit)
        elif verb == "restart":
            stop(unit)
            try:
                start(unit)
            except SystemExit:
                fail("Failed to restart %s: Unit %s not found." % (unit, unit), 5)
        elif verb == "is-active":
            word = active(unit)
            print(word)
            return 0 if word == "active" else 3 if load(unit) is not None else 4
        elif verb == "is-enabled":
            on = os.path.lexists(link)
            print("enabled" if on else "disabled")
            return 0 if on else 1
        elif verb == "show":
            status = status_of(unit)
            values = {"MainPID": str(status.get("pid", 0)) if active(unit) == "active" else "0", "ActiveState": active(unit)}
            for flag in flags:
                if flag.startswith("--property="):
                    for name in flag.split("=", 1)[1].split(","):
                        value = values.get(name, "")
                        print(value if "--value" in flags else "%s=%s" % (name, value))
        elif verb == "status":
            if load(unit) is None:
                fail("Unit %s could not be found." % unit, 4)
            print("● %s\n     Active: %s" % (unit, active(unit)))
            return 0 if active(unit) == "active" else 3
    return 0


sys.exit(main(sys.argv[1:]))
