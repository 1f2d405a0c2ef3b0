#!/usr/bin/env python3
"""A stand-in for Dell's racadm with one iDRAC behind it.

Options, prompts, subcommands and texts are those of the "iDRAC RACADM CLI Guide" (remote RACADM; serveraction, set, get,
setled, getled, getsysinfo, getsensorinfo, getsel, clrsel, getniccfg, racreset) and of published transcripts of the tool:
the "Security Alert" lines, "UserName:" and "Password:", "Server power operation successful", "Object value modified
successfully", "ERROR: Login failed - invalid username or password", "ERROR: Unable to connect to RAC at specified IP
address.". Exit statuses are 0 and 1; which one the tool has for which failure is not published.

The folder it lies in holds `state.json` (the iDRAC), `faults.json` (what goes wrong next), and `calls` (a line for every
call: arguments, environment, subcommand, whether it was carried out).
"""
import fcntl
import getpass
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def read(name):
    with open(os.path.join(HERE, name)) as file:
        return json.load(file)


def write(name, value):
    path = os.path.join(HERE, name)
    with open(path + ".new", "w") as file:
        json.dump(value, file)
    os.replace(path + ".new", path)


def note(words, done):
    line = {"argv": sys.argv[1:], "env": dict(os.environ), "words": words, "done": done, "pid": os.getpid()}
    with open(os.path.join(HERE, "calls"), "a") as file:
        file.write(json.dumps(line) + "\n")


def end(text, status=1):
    print(text)
    sys.exit(status)


def fault(words):
    """The next fault for these words; it is used up."""
    with open(os.path.join(HERE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        faults = read("faults.json")
        for at, one in enumerate(faults):
            if one["on"] in " ".join(words):
                one["times"] -= 1
                if one["times"] <= 0:
                    faults.pop(at)
                write("faults.json", faults)
                return one["do"]
    return None


def serveraction(state, verb):
    on = state["power"] == "ON"
    if verb == "powerstatus":
        return "Server power status: " + state["power"]
    if verb in ("powerup", "powerdown"):
        if on == (verb == "powerup"):
            return "Server is already powered " + state["power"] + "."
        state["power"] = "ON" if verb == "powerup" else "OFF"
    elif verb == "graceshutdown":
        if state["heeds"]:
            state["power"] = "OFF"
    elif verb in ("powercycle", "hardreset", "nmi"):
        if not on:
            return None
    else:
        end("ERROR: Invalid serveraction option specified.")
    state["count"][verb] = state["count"].get(verb, 0) + 1
    return "Server power operation successful"


SENSORS = """Sensor Type : TEMPERATURE
<Sensor Name>            <Status>    <Reading> <lc> <uc>  <lnc>[R/W]  <unc>[R/W]
[Key = iDRAC.Embedded.1#SystemBoardInletTemp]
System Board Inlet Temp       Ok      21C      -7C  47C      3C [Y]      42C [Y]

Sensor Type : FAN
<Sensor Name>                   <Status>    <Reading>   <lc>        <uc>        <PWM %>
System Board Fan1A              Ok          5880RPM     600RPM      NA          23%"""

SYSINFO = """RAC Information:
RAC Date/Time           = Fri May  5 10:56:23 2017
Firmware Version        = 6.10.30.00
Firmware Build          = 62
Hardware Version        = 0.01

System Information:
System Model            = PowerEdge R650
System BIOS Version     = 1.8.2
Service Tag             = ABCD123
Power Status            = {power}
"""

SEL = """Record:      1
Date/Time:   01/02/2026 03:04:05
Source:      system
Severity:    Ok
Description: Log cleared.
-------------------------------------------------------------------------------
"""


def carry_out(state, words):
    match words:
        case ["serveraction", verb]:
            return serveraction(state, verb)
        case ["set", "iDRAC.ServerBoot.BootOnce", once] if once in ("Enabled", "Disabled"):
            state["once"] = once
        case ["set", "iDRAC.ServerBoot.FirstBootDevice", device] if device in (
            "Normal", "PXE", "HDD", "BIOS", "VCD-DVD"):
            state["first"] = device
        case ["set", *_]:
            end("ERROR: RAC947: Invalid object value specified.")
        case ["get", "iDRAC.ServerBoot"]:
            return "[Key=iDRAC.Embedded.1#ServerBoot.1]\nBootOnce=%s\nFirstBootDevice=%s" % (state["once"], state["first"])
        case ["setled", "-l", value] if value in ("0", "1"):
            state["led"] = value == "1"
            return "RAC0908: System ID LED state changed."
        case ["getled"]:
            return "LED State: " + ("Blinking" if state["led"] else "Not-Blinking")
        case ["getsysinfo"]:
            return SYSINFO.format(power=state["power"])
        case ["getsensorinfo"]:
            return SENSORS
        case ["getsel"]:
            return SEL if state["sel"] else ""
        case ["clrsel"]:
            state["sel"] = False
            return "The SEL was cleared successfully."
        case ["getniccfg"]:
            return "\nIPv4 settings:\nNIC Enabled          = 1\nDHCP Enabled         = 0\nIP Address           = 192.0.2.7"
        case ["racreset"]:
            state["count"]["racreset"] = state["count"].get("racreset", 0) + 1
            return "RAC reset operation initiated successfully. It may take a few minutes for the RAC to come online again."
        case _:
            end("ERROR: Invalid subcommand specified.")
    return "[Key=iDRAC.Embedded.1#ServerBoot.1]\nObject value modified successfully"


def main():
    words = sys.argv[1:]
    options = {}
    while words and words[0].startswith("-"):
        option = words.pop(0)
        options[option] = words.pop(0) if option in ("-r", "-u", "-p") else True
    what = fault(words)
    if what == "unreachable":
        note(words, False)
        end("ERROR: Unable to connect to RAC at specified IP address.")
    state = read("state.json")
    if state["certificate"] != "good" and "--nocertwarn" not in options:
        print("Security Alert: Certificate is invalid - self signed certificate", flush=True)
        if "-S" in options:
            note(words, False)
            sys.exit(1)
        print("Continuing execution. Use -S option for racadm to stop execution on certificate-related errors.", flush=True)
    user, password = options.get("-u"), options.get("-p")
    if "-i" in options:
        user = input("UserName: ")
        # Reads from /dev/tty without echo, and throws away what was typed too early.
        password = getpass.getpass("Password: ")
    if what == "sessions":
        note(words, False)
        end("ERROR: RAC0218: The maximum number of user sessions is reached.")
    if what == "ask":
        password = getpass.getpass("Password: ")
    if (user, password) != (state["user"], state["password"]):
        note(words, False)
        end("ERROR: Login failed - invalid username or password")
    if what == "hang":
        child = subprocess.Popen(["sleep", "1000"])
        with open(os.path.join(HERE, "sleeper"), "w") as file:
            file.write(str(child.pid))
        note(words, False)
        time.sleep(1000)
    if what == "garbage":
        note(words, False)
        end("\x1b[2J\x00<html>%s</html>" % ("x" * 400), 0)
    if what == "flood":
        note(words, False)
        while True:
            print("x" * 1000)
    if what == "repeat":
        note(words, False)
        end("ERROR: Something went wrong with " + password)
    if what == "refuse":
        note(words, False)
        end("ERROR: RAC0516: Unable to perform the requested operation.")
    if what == "busy":
        note(words, False)
        end("ERROR: LC068: Another operation is in progress.")
    if what == "unsupported":
        note(words, False)
        end("ERROR: The requested operation is not supported on this platform.")
    if what == "unknown":
        note(words, False)
        end("Server power status: POWERING OFF", 0)
    if what == "ignore":
        note(words, False)
        end("Server power operation successful", 0)
    said = carry_out(state, words)
    if said is None:
        note(words, False)
        end("ERROR: The server is powered OFF.")
    if words[0] in ("serveraction", "set", "setled", "clrsel", "racreset") and "powerstatus" not in words:
        write("state.json", state)
    note(words, True)
    if what == "lost":
        time.sleep(1000)
    print(said)


main()
