package system

import "slices"

// Options is the table of all options. It drives parsing, -help and the
// messages about unknown options. Names and argument forms are QEMU's, of
// 2009 (0.10, 0.11) as well as of today.
func Options() []Option {
	return slices.Concat(standardOptions(), blockOptions(), displayOptions(), i386Options(), networkOptions(),
		characterOptions(), bootOptions(), debugOptions(), genericOptions())
}

func standardOptions() []Option {
	return []Option{
		{Name: "h", Help: "show this help", Set: setHelp},
		{Name: "help", Help: "show this help", Set: setHelp},
		{Name: "version", Help: "show the version", Set: setVersion},
		{Name: "machine", Arg: "[type=]name[,prop[=value][,...]]", Help: "select the emulated machine ('-machine help' lists them)", Set: setMachine},
		{Name: "M", Arg: "[type=]name[,prop[=value][,...]]", Help: "as -machine", Set: setMachine},
		{Name: "target", Arg: "i386|x86_64", Help: "the kind of machine, where the program's name does not say it (qemu-system-x86_64)", Set: setTarget},
		{Name: "cpu", Arg: "model[,feature[=on|off]][,...]", Help: "select the processor ('-cpu help' lists them)", Set: setCPU},
		{Name: "accel", Arg: "[accel=]name[,prop[=value][,...]]", Help: "select the engine ('-accel help' lists them)", Set: setAccel},
		{Name: "smp", Arg: "[cpus=]n[,cores=n][,threads=n][,sockets=n][,maxcpus=n]", Help: "number of processors", Set: setSMP},
		{Name: "m", Arg: "[size=]megs", Help: "size of the memory, in MiB or with a suffix (512M, 1G)", Set: setMemory},
		{Name: "numa", Arg: "node[,...]", Help: "NUMA nodes", Status: NotYet},
		{Name: "add-fd", Arg: "fd=fd,set=set[,opaque=opaque]", Help: "add a descriptor to a set", Status: NotYet},
		{Name: "set", Arg: "group.id.arg=value", Help: "set a parameter of an object", Status: NotYet},
		{Name: "global", Arg: "driver.property=value", Help: "set a default of a device's property", Status: Noted, Set: setGlobal},
		{Name: "boot", Arg: "[order=drives][,once=drives][,menu=on|off][,splash-time=ms][,reboot-timeout=ms][,strict=on|off]",
			Help: "where to boot from: floppy (a), disk (c), CD-ROM (d), network (n)", Set: setBoot},
		{Name: "mem-path", Arg: "file", Help: "memory from a file", Status: NotYet},
		{Name: "mem-prealloc", Help: "allocate all memory at the start", Status: Noted},
		{Name: "k", Arg: "language", Help: "keyboard layout (for example de)", Set: setKeyboard},
		{Name: "audiodev", Arg: "[driver=]driver,id=id[,prop=value][,...]", Help: "sound of the host ('-audiodev help' lists the drivers)", Set: setAudiodev},
		{Name: "audio", Arg: "[driver=]driver[,model=value][,...]", Help: "sound of the host, and a sound card", Set: setAudio},
		{Name: "audio-help", Help: "sound of the host", Status: Gone, Note: "use -audiodev help"},
		{Name: "soundhw", Arg: "c1,...", Help: "sound cards ('-soundhw help' lists them)", Set: setSoundHW},
		{Name: "device", Arg: "driver[,prop[=value][,...]]", Help: "add a device ('-device help' lists them, '-device driver,help' its properties)", Set: setDevice},
		{Name: "name", Arg: "[guest=]string[,process=string][,debug-threads=on|off]", Help: "name of the machine", Set: setName},
		{Name: "uuid", Arg: "uuid", Help: "UUID of the machine", Set: setUUID},
	}
}

func blockOptions() []Option {
	hd := func(letter string, index int) Option {
		return Option{Name: "hd" + letter, Arg: "file", Help: "hard disk " + string(rune('0'+index)) + " image", Group: Block,
			Set: func(p *parser, arg string) error { return p.addImage(arg, index, false) }}
	}
	fd := func(letter string, index int) Option {
		return Option{Name: "fd" + letter, Arg: "file", Help: "floppy disk " + string(rune('0'+index)) + " image", Group: Block,
			Set: func(p *parser, arg string) error { return p.addFloppy(arg, index) }}
	}
	l := []Option{
		fd("a", 0), fd("b", 1), hd("a", 0), hd("b", 1), hd("c", 2), hd("d", 3),
		{Name: "cdrom", Arg: "file", Help: "CD-ROM image (same as disk 2)", Set: func(p *parser, arg string) error { return p.addImage(arg, 2, true) }},
		{Name: "drive", Arg: "[file=file][,if=type][,bus=n][,unit=m][,media=d][,index=i][,format=f][,snapshot=on|off][,readonly=on|off][,cache=mode][,werror=action][,...]",
			Help: "a drive with its image", Set: setDrive},
		{Name: "blockdev", Arg: "[driver=]driver[,node-name=name][,...]", Help: "a block back end", Set: setBlockdev},
		{Name: "snapshot", Help: "write to temporary memory instead of the images", Set: func(p *parser, _ string) error { p.snapshot = true; return nil }},
		{Name: "hdachs", Arg: "c,h,s[,t]", Help: "geometry of disk 0", Status: Gone, Note: "use -drive file=...,cyls=,heads=,secs="},
		{Name: "mtdblock", Arg: "file", Help: "on-board flash image", Status: NotYet},
		{Name: "sd", Arg: "file", Help: "SD card image", Status: NotYet},
		{Name: "pflash", Arg: "file", Help: "parallel flash image", Status: NotYet},
		{Name: "fsdev", Arg: "driver,id=id[,path=path][,...]", Help: "a file system of the host", Status: NotYet},
		{Name: "virtfs", Arg: "driver,mount_tag=tag[,path=path][,...]", Help: "a file system of the host as a device", Status: NotYet},
		{Name: "iscsi", Arg: "[user=user][,...]", Help: "iSCSI session parameters", Status: NotYet},
		{Name: "no-fd-bootchk", Help: "do not check the boot signature of floppy disks", Group: I386, Set: func(p *parser, _ string) error { p.cfg.Machine.FDBootChk = false; return nil }},
	}
	for i := range l {
		if l[i].Group == Standard {
			l[i].Group = Block
		}
	}
	return append(l,
		Option{Name: "usb", Help: "a USB controller", Group: USB, Status: NotYet},
		Option{Name: "usbdevice", Arg: "name", Help: "a USB device", Group: USB, Status: NotYet})
}

func displayOptions() []Option {
	return inGroup(Display, []Option{
		{Name: "display", Arg: "x11|curses|vnc=display|web=host:port[,password=p][,audiodev=id][,media=folder]|none", Help: "what shows the screen ('-display help' lists them)", Set: setDisplay},
		{Name: "nographic", Help: "no screen: serial port and monitor on the terminal", Set: func(p *parser, _ string) error { p.nographic = true; return nil }},
		{Name: "vga", Arg: "std|cirrus|none", Help: "the display adapter ('-vga help' lists them)", Set: setVGA},
		{Name: "curses", Help: "the screen's text in the terminal", Set: func(p *parser, _ string) error { p.display = "curses"; return nil }},
		{Name: "sdl", Help: "a window by SDL", Status: NotYet},
		{Name: "spice", Arg: "[port=port][,...]", Help: "SPICE server", Status: NotYet},
		{Name: "vnc", Arg: "display[,option[,...]]", Help: "VNC server", Set: setVNC, Status: Built},
		{Name: "full-screen", Help: "fill the screen", Set: func(p *parser, _ string) error { p.cfg.FullScreen = true; return nil }},
		{Name: "no-frame", Help: "a window without decorations", Status: Noted},
		{Name: "alt-grab", Help: "Ctrl-Alt-Shift grabs the mouse", Status: Noted},
		{Name: "ctrl-grab", Help: "right Ctrl grabs the mouse", Status: Noted},
		{Name: "no-quit", Help: "the window cannot be closed", Status: Noted},
		{Name: "show-cursor", Help: "show the mouse pointer", Status: Noted},
		{Name: "portrait", Help: "turn the picture by 90 degrees", Status: NotYet},
		{Name: "rotate", Arg: "degrees", Help: "turn the picture", Status: NotYet},
		{Name: "g", Arg: "WxH[xDEPTH]", Help: "initial size of the screen (not on a PC)", Status: Noted, Set: ignoreArg},
	})
}

func i386Options() []Option {
	return inGroup(I386, []Option{
		{Name: "no-acpi", Help: "no ACPI", Set: func(p *parser, _ string) error { p.cfg.Machine.ACPI = false; return nil }},
		{Name: "no-hpet", Help: "no HPET (there is none)", Status: Silent},
		{Name: "win2k-hack", Help: "work around a fault of the Windows 2000 installer", Status: Noted},
		{Name: "rtc-td-hack", Help: "slew the clock", Set: func(p *parser, _ string) error { p.cfg.RTC.DriftFix = "slew"; return nil }},
		{Name: "acpitable", Arg: "[sig=str][,...],data|file=file", Help: "an additional ACPI table", Status: NotYet},
		{Name: "smbios", Arg: "file=file|type=n[,...]", Help: "SMBIOS fields", Set: setSMBIOS},
		{Name: "enable-kvm", Help: "use KVM", Status: NotYet, Note: "leave it out"},
		{Name: "enable-kqemu", Help: "use kqemu", Status: Gone},
		{Name: "kernel-kqemu", Help: "use kqemu for all", Status: Gone},
		{Name: "no-kqemu", Help: "do not use kqemu", Status: Silent},
		{Name: "no-kvm", Help: "do not use KVM", Status: Silent},
	})
}

func networkOptions() []Option {
	return inGroup(Network, []Option{
		{Name: "netdev", Arg: "type,id=str[,option][,...]", Help: "network of the host ('-netdev help' lists them)", Set: setNetdev},
		{Name: "nic", Arg: "type[,option][,...]|none", Help: "a network card and its network", Set: setNIC},
		{Name: "net", Arg: "nic|user|tap|socket|none[,option][,...]", Help: "network card or network", Set: setNet},
		{Name: "tftp", Arg: "dir", Help: "TFTP of the user network", Status: Gone, Note: "use -netdev user,tftp=dir"},
		{Name: "bootp", Arg: "file", Help: "boot file of the user network", Status: Gone, Note: "use -netdev user,bootfile=file"},
		{Name: "smb", Arg: "dir", Help: "shares of the user network", Status: Gone, Note: "there are no shares; -netdev user,tftp=dir gives files to the guest"},
		{Name: "redir", Arg: "[tcp|udp]:host-port:[guest-host]:guest-port", Help: "forward a port", Status: Gone, Note: "use -netdev user,hostfwd=..."},
		{Name: "bt", Arg: "...", Help: "Bluetooth", Group: Bluetooth, Status: NotYet},
		{Name: "tpmdev", Arg: "type,id=str[,option][,...]", Help: "TPM back end", Group: TPM, Status: NotYet},
	})
}

func characterOptions() []Option {
	return inGroup(Characters, []Option{
		{Name: "chardev", Arg: "backend,id=str[,mux=on|off][,logfile=file][,logappend=on|off][,option][,...]",
			Help: "a character device ('-chardev help' lists the back ends)", Set: setChardev},
		{Name: "serial", Arg: "dev", Help: "serial port on dev: stdio, null, none, file:F, pipe:F, pty, tcp:H:P, telnet:H:P, unix:F, mon:dev, chardev:ID, /dev/X", Set: setSerial},
		{Name: "parallel", Arg: "dev", Help: "parallel port on dev", Set: setParallel},
		{Name: "monitor", Arg: "dev", Help: "monitor on dev", Set: setMonitor},
		{Name: "mon", Arg: "[chardev=]name[,mode=readline|control][,pretty=on|off]", Help: "monitor on a character device", Set: setMon},
		{Name: "debugcon", Arg: "dev", Help: "debug console (port 0xe9) on dev", Set: setDebugcon},
		{Name: "echr", Arg: "chr", Help: "escape character of the terminal, instead of Ctrl-A (1)", Set: setEscape},
		{Name: "qmp", Arg: "dev", Help: "QMP server on dev", Status: NotYet},
		{Name: "qmp-pretty", Arg: "dev", Help: "QMP server on dev, indented", Status: NotYet},
		{Name: "virtioconsole", Arg: "dev", Help: "virtio console", Status: NotYet},
	})
}

func bootOptions() []Option {
	return inGroup(LinuxBoot, []Option{
		{Name: "bios", Arg: "file", Help: "the firmware", Set: func(p *parser, a string) error { return setFile(&p.cfg.Firmware.BIOS, a) }},
		{Name: "kernel", Arg: "bzImage", Help: "boot this kernel", Set: func(p *parser, a string) error { return setFile(&p.cfg.Kernel.File, a) }},
		{Name: "append", Arg: "cmdline", Help: "command line of the kernel", Set: func(p *parser, a string) error { p.cfg.Kernel.Append = a; return nil }},
		{Name: "initrd", Arg: "file", Help: "initial RAM disk of the kernel", Set: func(p *parser, a string) error { return setFile(&p.cfg.Kernel.Initrd, a) }},
		{Name: "dtb", Arg: "file", Help: "device tree", Status: NotYet},
		{Name: "option-rom", Arg: "rom", Help: "load an option ROM", Set: setOptionROM},
		{Name: "shim", Arg: "shim.efi", Help: "shim of the kernel", Status: NotYet},
	})
}

func debugOptions() []Option {
	return inGroup(Debug, []Option{
		{Name: "S", Help: "do not start the processor (the monitor's 'cont' does)", Set: func(p *parser, _ string) error { p.cfg.Run.Paused = true; return nil }},
		{Name: "s", Help: "gdb server on port 1234", Status: NotYet},
		{Name: "gdb", Arg: "dev", Help: "gdb server on dev", Status: NotYet},
		{Name: "d", Arg: "item1,...", Help: "log items ('-d help' lists them)", Set: setLog},
		{Name: "D", Arg: "logfile", Help: "write the log to a file", Set: func(p *parser, a string) error { return setFile(&p.cfg.Log.File, a) }},
		{Name: "L", Arg: "path", Help: "where to look for firmware first ('-L help' lists all places)", Set: setFirmwareDir},
		{Name: "no-reboot", Help: "exit instead of rebooting", Set: func(p *parser, _ string) error { p.cfg.Run.NoReboot = true; return nil }},
		{Name: "no-shutdown", Help: "stop instead of exiting when the guest switches off", Set: func(p *parser, _ string) error { p.cfg.Run.NoShutdown = true; return nil }},
		{Name: "action", Arg: "reboot=reset|shutdown|shutdown=poweroff|pause|panic=pause|shutdown|exit-failure|none|watchdog=...", Help: "what to do upon an event", Set: setAction},
		{Name: "rtc", Arg: "[base=utc|localtime|datetime][,clock=host|rt|vm][,driftfix=none|slew]", Help: "the real-time clock", Set: setRTC},
		{Name: "localtime", Help: "the clock shows local time", Set: func(p *parser, _ string) error { p.cfg.RTC.Local = true; return nil }},
		{Name: "startdate", Arg: "now|YYYY-MM-DD[THH:MM:SS]", Help: "the clock's time at the start", Set: setStartDate},
		{Name: "clock", Arg: "name", Help: "the host's timers", Status: Noted, Set: ignoreArg},
		{Name: "pidfile", Arg: "file", Help: "write the process id to a file", Set: func(p *parser, a string) error { return setFile(&p.cfg.Run.PIDFile, a) }},
		{Name: "daemonize", Help: "go to the background", Status: NotYet, Note: "use your shell's '&' with -display none"},
		{Name: "nodefaults", Help: "no default devices", Set: setNoDefaults},
		{Name: "no-user-config", Help: "read no configuration of the user's (there is none)", Status: Silent},
		{Name: "nouserconfig", Help: "as -no-user-config", Status: Silent},
		{Name: "tb-size", Arg: "n", Help: "size of the code cache in MiB", Set: setTBSize},
		{Name: "singlestep", Help: "translate one instruction at a time", Set: func(p *parser, _ string) error {
			p.note("-singlestep is accepted and has no effect yet")
			return nil
		}},
		{Name: "one-insn-per-tb", Help: "translate one instruction at a time", Status: Noted},
		{Name: "icount", Arg: "[shift=]n|auto[,align=on|off][,sleep=on|off][,rr=record|replay,rrfile=file]", Help: "time by instructions", Status: NotYet},
		{Name: "loadvm", Arg: "tag", Help: "start with a saved state", Status: NotYet},
		{Name: "incoming", Arg: "uri", Help: "wait for a migration", Status: NotYet},
		{Name: "only-migratable", Help: "allow only devices that migrate", Status: Noted},
		{Name: "watchdog", Arg: "model", Help: "a watchdog", Status: NotYet},
		{Name: "watchdog-action", Arg: "action", Help: "what a watchdog does", Status: NotYet},
		{Name: "balloon", Arg: "virtio|none", Help: "a balloon device", Set: setBalloon},
		{Name: "chroot", Arg: "dir", Help: "change the root directory", Status: NotYet},
		{Name: "runas", Arg: "user", Help: "change the user id", Status: NotYet},
		{Name: "run-with", Arg: "[chroot=dir][,user=user][,...]", Help: "how the process runs", Status: NotYet},
		{Name: "sandbox", Arg: "on|off[,...]", Help: "seccomp filter", Set: setSandbox},
		{Name: "overcommit", Arg: "[mem-lock=on|off][,cpu-pm=on|off]", Help: "what may be promised twice", Set: setOvercommit},
		{Name: "realtime", Arg: "mlock=on|off", Help: "lock the memory", Set: setOvercommit},
		{Name: "msg", Arg: "[timestamp=on|off][,guest-name=on|off]", Help: "form of messages", Status: Silent, Set: ignoreArg},
		{Name: "semihosting", Help: "semihosting (not on a PC)", Status: NotYet},
		{Name: "semihosting-config", Arg: "...", Help: "semihosting (not on a PC)", Status: NotYet},
		{Name: "old-param", Help: "old ARM boot parameters", Status: NotYet},
		{Name: "prom-env", Arg: "variable=value", Help: "OpenBIOS variables (not on a PC)", Status: NotYet},
		{Name: "p", Arg: "port", Help: "gdb port", Status: Gone, Note: "use -gdb"},
		{Name: "readconfig", Arg: "file", Help: "read options from a file", Status: NotYet},
		{Name: "writeconfig", Arg: "file", Help: "write options to a file", Status: Gone},
		{Name: "fw_cfg", Arg: "[name=]name,file=file|string=str", Help: "a file of the firmware's configuration", Set: setFWCfg},
		{Name: "trace", Arg: "[[enable=]pattern][,events=file][,file=file]", Help: "trace points", Status: NotYet, Note: "use -d"},
		{Name: "plugin", Arg: "[file=]file[,arg=value]", Help: "a plug-in", Status: NotYet},
		{Name: "qtest", Arg: "dev", Help: "device test protocol", Status: NotYet},
		{Name: "qtest-log", Arg: "log", Help: "log of the device test protocol", Status: NotYet},
		{Name: "preconfig", Help: "stop before the machine is made", Status: NotYet},
		{Name: "compat", Arg: "[deprecated-input=...][,...]", Help: "what becomes of deprecated things", Status: Silent, Set: ignoreArg},
		{Name: "async-teardown", Help: "free memory in the background", Status: Silent},
		{Name: "enable-sync-profile", Help: "profile locks", Status: Noted},
		{Name: "perfmap", Help: "write /tmp/perf-PID.map, by which perf names the guest's code", Set: func(p *parser, _ string) error { p.cfg.Log.PerfMap = true; return nil }},
		{Name: "jitdump", Help: "write a dump for perf", Status: NotYet},
		{Name: "dfilter", Arg: "range,...", Help: "limit the log to addresses", Status: NotYet},
		{Name: "seed", Arg: "number", Help: "seed of random numbers", Status: NotYet},
		{Name: "xen-domid", Arg: "id", Help: "Xen", Status: NotYet},
		{Name: "xen-attach", Help: "Xen", Status: NotYet},
		{Name: "xen-create", Help: "Xen", Status: NotYet},
		{Name: "xen-domid-restrict", Help: "Xen", Status: NotYet},
		{Name: "dump-vmstate", Arg: "file", Help: "describe the saved state", Status: NotYet},
	})
}

func genericOptions() []Option {
	return inGroup(Generic, []Option{
		{Name: "object", Arg: "[qom-type=]type,id=str[,prop=value][,...]", Help: "an object (secret, tls-creds-x509, filter-dump)", Set: setObject},
	})
}

// inGroup puts those options in a group that are not in one.
func inGroup(g Group, l []Option) []Option {
	for i := range l {
		if l[i].Group == Standard {
			l[i].Group = g
		}
	}
	return l
}
