"""pyghmi's fake BMC on loopback only: pyghmi_bmc.py PORT, user and password from the environment."""
import os
import sys

import pyghmi.ipmi.bmc as bmc
from pyghmi.cmd.fakebmc import FakeBmc


class Loop(FakeBmc):
    def __init__(self, auth, port, addr):
        bmc.Bmc.__init__(self, auth, port=port, address=addr)
        self.powerstate = 'off'
        self.bootdevice = 'default'


user, password = os.environ['BMC_USER'], os.environ['BMC_PASSWORD']
Loop({user: password}, int(sys.argv[1]), '127.0.0.1').listen()
