#!/usr/bin/env python3
"""A stand-in for VirtualBox's VBoxManage, for tests: VirtualBox is in no Debian archive.

Where the behaviour comes from: sub-commands, options and exit statuses from the VirtualBox manual (chapter
"VBoxManage", versions 6 and 7); the texts of refusals and of `list vms`, `startvm` and `showvminfo --machinereadable`
as users report them and as VBoxManageList.cpp, VBoxManageInfo.cpp, MachineImpl.cpp and SessionMachine write them;
the rest (progress bars, `createmedium`) as the manual shows them.

VBOX_STATE names the folder that stands for a user's VirtualBox:
  state.json   machines and disks; made when absent
  faults.json  a list of {"on": words, "effect": E, "times": N, ...}: the first whose words begin the command holds, N times
  log          one JSON line for each command: its words and what became of it
Effects: slow (seconds), hang (with a child of its own), garbage, flood, lose (done, then killed before it says so),
die (killed before anything is done), pass (as usual, so that a later fault of the same words begins after it), locked,
refuse (text), ignore (says yes, does nothing), later (reads: the new state shows after so many showvminfo).
"""
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import uuid as uuids

FOLDER = os.environ.get("VBOX_STATE") or sys.exit("VBOX_STATE is not set")
ARGS = sys.argv[1:]


class Refused(Exception):
    pass


def path(name):
    return os.path.join(FOLDER, name)


def load(name, default):
    try:
        with open(path(name), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return default


def save(name, value):
    with open(path(name + ".new"), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
    os.replace(path(name + ".new"), path(name))


def log(outcome):
    line = json.dumps({"args": ARGS, "outcome": outcome}) + "\n"
    with open(path("log"), "a", encoding="utf-8") as file:
        file.write(line)


def details(code, number, component, interface):
    return ("\nVBoxManage: error: Details: code %s (%s), component %s, interface %s, callee nsISupports"
            % (code, number, component, interface))


LOCKED = details("VBOX_E_INVALID_OBJECT_STATE", "0x80bb0007", "MachineWrap", "IMachine")
NOT_FOUND = details("VBOX_E_OBJECT_NOT_FOUND", "0x80bb0001", "VirtualBoxWrap", "IVirtualBox")
EXISTS = details("VBOX_E_FILE_ERROR", "0x80bb0004", "MachineWrap", "IMachine")


def option(name, default=None):
    for at, word in enumerate(ARGS):
        if word == name and at + 1 < len(ARGS):
            return ARGS[at + 1]
    return default


def machine(state, wanted):
    for vm in state["vms"]:
        if vm["uuid"] == wanted.lower() or vm["name"] == wanted:
            return vm
    raise Refused("Could not find a registered machine named '%s'" % wanted + NOT_FOUND)


def locked(vm):
    return vm["state"] in ("running", "paused", "starting", "stopping")


def change(vm, state, fault):
    if fault.get("effect") == "later":
        vm["next"], vm["reads"] = state, int(fault.get("reads", 2))
        vm["state"] = "starting" if state == "running" else "stopping"
    else:
        vm["state"] = state
    vm["changed"] = time.strftime("%Y-%m-%dT%H:%M:%S.000000000", time.gmtime())


def progress():
    sys.stderr.write("0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n")


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def new_vm(name, uuid, folder):
    return {"name": name, "uuid": uuid, "state": "poweroff", "boot": ["floppy", "dvd", "disk", "none"], "memory": 128,
            "vram": 8, "cpus": 1, "acpi": False, "macs": ["080027" + uuids.uuid4().hex[:6].upper()], "nics": ["nat"],
            "folder": folder, "controllers": [], "disk": None, "changed": "2024-01-01T00:00:00.000000000"}


def show(state, vm):
    if "next" in vm:
        vm["reads"] -= 1
        if vm["reads"] < 0:
            vm["state"] = vm.pop("next")
            del vm["reads"]
    lines = ["name=" + quoted(vm["name"]), 'groups="/"', 'ostype="Other/Unknown"', 'UUID="%s"' % vm["uuid"],
             "CfgFile=" + quoted(vm["folder"] + "/vm.vbox"), 'hardwareuuid="%s"' % vm["uuid"], "memory=%d" % vm["memory"],
             'pagefusion="off"', "vram=%d" % vm["vram"], 'chipset="piix3"', 'firmware="BIOS"', "cpus=%d" % vm["cpus"],
             'bootmenu="messageandmenu"']
    lines += ['boot%d="%s"' % (at + 1, device) for at, device in enumerate(vm["boot"])]
    lines += ['VMState="%s"' % vm["state"], 'VMStateChangeTime="%s"' % vm["changed"]]
    for at, name in enumerate(vm["controllers"]):
        lines += ["storagecontrollername%d=%s" % (at, quoted(name)), '"%s-0-0"=%s' % (name, quoted(vm["disk"] or "none"))]
    for at, (nic, mac) in enumerate(zip(vm["nics"], vm["macs"]), 1):
        if nic == "hostonly":
            lines.append('hostonlyadapter%d="vboxnet0"' % at)
        lines += ['macaddress%d="%s"' % (at, mac), 'cableconnected%d="on"' % at, 'nic%d="%s"' % (at, nic)]
    lines += ["Time offset: none", 'description="two lines,\nVMState="never mind""', 'GuestMemoryBalloon=0']
    print("\n".join(lines))


def act(state, fault):
    verb = ARGS[0] if ARGS else ""
    if verb == "--version":
        print("WARNING: The character device /dev/vboxdrv does not exist.")
        print(state.get("version", "7.0.14r161095"))
    elif verb == "list":
        for vm in state["vms"]:
            if ARGS[1] == "vms" or locked(vm):
                print('"%s" {%s}' % (vm["name"], vm["uuid"]))
    elif verb == "showvminfo":
        show(state, machine(state, ARGS[1]))
    elif verb == "startvm":
        vm = machine(state, ARGS[1])
        if locked(vm):
            raise Refused("The machine '%s' is already locked by a session (or being locked or unlocked)" % vm["name"] + LOCKED)
        print('Waiting for VM "%s" to power on...' % ARGS[1])
        change(vm, "running", fault)
        vm["headless"] = option("--type") == "headless"
        print('VM "%s" has been successfully started.' % vm["name"])
    elif verb == "controlvm":
        vm = machine(state, ARGS[1])
        if not locked(vm):
            raise Refused("Machine '%s' is not currently running." % ARGS[1])
        word = ARGS[2]
        if word == "poweroff":
            progress()
            change(vm, "poweroff", fault)
        elif word == "reset":
            vm["resets"] = vm.get("resets", 0) + 1
        elif word == "acpipowerbutton":
            vm["presses"] = vm.get("presses", 0) + 1
            if vm["acpi"]:
                change(vm, "poweroff", fault)
        elif word in ("pause", "resume"):
            change(vm, "paused" if word == "pause" else "running", fault)
        else:
            raise SystemExit(2)
    elif verb == "modifyvm":
        vm = machine(state, ARGS[1])
        if locked(vm):
            raise Refused("The machine '%s' is already locked for a session (or being unlocked)" % vm["name"] + LOCKED)
        for at in range(4):
            vm["boot"][at] = option("--boot%d" % (at + 1), vm["boot"][at])
        for key in ("memory", "vram", "cpus"):
            vm[key] = int(option("--" + key, vm[key]))
        for at in (1, 2):
            nic = option("--nic%d" % at)
            if nic:
                while len(vm["nics"]) < at:
                    vm["nics"].append("null")
                    vm["macs"].append("080027" + uuids.uuid4().hex[:6].upper())
                vm["nics"][at - 1] = nic
    elif verb == "createvm":
        name, uuid = option("--name"), option("--uuid", str(uuids.uuid4())).lower()
        if any(vm["name"] == name or vm["uuid"] == uuid for vm in state["vms"]):
            raise Refused("Machine settings file '%s/%s.vbox' already exists" % (name, name) + EXISTS)
        folder = os.path.join(option("--basefolder", path("machines")), name.replace("/", "_"))
        state["vms"].append(new_vm(name, uuid, folder))
        print("Virtual machine '%s' is created and registered.\nUUID: %s\nSettings file: '%s/%s.vbox'" % (name, uuid, folder, name))
    elif verb == "storagectl":
        machine(state, ARGS[1])["controllers"].append(option("--name"))
    elif verb == "createmedium":
        file = option("--filename")
        if file in state["disks"]:
            raise Refused("Cannot create the hard disk storage unit '%s'. VERR_ALREADY_EXISTS, already exists" % file)
        state["disks"][file] = str(uuids.uuid4())
        progress()
        print("Medium created. UUID: %s" % state["disks"][file])
    elif verb == "showmediuminfo":
        if ARGS[2] not in state["disks"]:
            raise Refused("Could not find file for the medium '%s' (VERR_FILE_NOT_FOUND)" % ARGS[2])
        print("UUID:           %s\nLocation:       %s" % (state["disks"][ARGS[2]], ARGS[2]))
    elif verb == "closemedium":
        if state["disks"].pop(ARGS[2], None) is None:
            raise Refused("Could not find file for the medium '%s' (VERR_FILE_NOT_FOUND)" % ARGS[2])
        progress()
    elif verb == "storageattach":
        vm = machine(state, ARGS[1])
        if option("--storagectl") not in vm["controllers"]:
            raise Refused("Could not find a controller named '%s'" % option("--storagectl"))
        if option("--medium") not in state["disks"]:
            raise Refused("Could not find file for the medium '%s' (VERR_FILE_NOT_FOUND)" % option("--medium"))
        vm["disk"] = option("--medium")
    elif verb == "unregistervm":
        vm = machine(state, ARGS[1])
        if locked(vm):
            raise Refused("Cannot unregister the machine '%s' while it is locked" % vm["name"] + LOCKED)
        state["vms"].remove(vm)
        if "--delete" in ARGS:
            state["disks"].pop(vm["disk"], None)
        progress()
    else:
        sys.stderr.write("Usage:\n\nVBoxManage: error: Invalid command '%s'.\n" % verb)
        raise SystemExit(2)


def fault_for():
    faults = load("faults.json", [])
    words = " ".join(ARGS)
    for fault in faults:
        plain = " ".join([ARGS[0]] + ARGS[2:]) if len(ARGS) > 1 else words
        if (words.startswith(fault["on"]) or plain.startswith(fault["on"])) and fault.get("times", 1) > 0:
            fault["times"] = fault.get("times", 1) - 1
            save("faults.json", faults)
            return fault
    return {}


def main():
    os.makedirs(FOLDER, exist_ok=True)
    with open(path("lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fault = fault_for()
        effect = fault.get("effect", "")
        if effect not in ("slow", "hang", "garbage", "flood", "die"):
            state = load("state.json", {"vms": [], "disks": {}})
            try:
                if effect == "locked":
                    raise Refused("Cannot unregister the machine '%s' while it is locked" % ARGS[1] + LOCKED)
                if effect == "refuse":
                    raise Refused(fault.get("text", "Something else"))
                if effect != "ignore":
                    act(state, fault)
            except Refused as refused:
                log("refused")
                sys.stderr.write("VBoxManage: error: %s\n" % refused)
                return 1
            log(effect or "done")
            save("state.json", state)
            if effect == "lose":
                os.kill(os.getpid(), signal.SIGKILL)
            sys.stdout.flush()
            return 0
        log(effect)
    if effect == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if effect == "garbage":
        sys.stdout.buffer.write(b"\xff\xfe{<html>\x00 busy\n" * 3)
        return 0
    if effect == "flood":
        while True:
            sys.stdout.write("y" * 65536)
    if effect == "hang":
        with open(path("hanging"), "w", encoding="utf-8") as file:
            child = subprocess.Popen(["sleep", "600"])
            file.write("%d %d" % (os.getpid(), child.pid))
        time.sleep(600)
    time.sleep(float(fault.get("seconds", 1)))
    return main()


sys.exit(main())
