// Package catalog lists what can be put together: machines, processors,
// devices, engines, character devices, image formats. The lists are explicit:
// nothing registers itself. "-machine help" and its like, and the checks of
// the command line, range over them.
package catalog

import (
	"slices"
	"strings"

	"rhea/internal/guest/x86"
)

// Entry is one thing of a list.
type Entry struct {
	Name string
	Desc string
	// Alias is another name of it ("pc-i440fx-9.0").
	Alias string
	// Built says that it exists; what does not is known by name only, so that
	// it can be refused by name.
	Built bool
	// Default is what is taken where none is named.
	Default bool
	// Bits is the word size of a processor.
	Bits int
	// Bus is what a device plugs into.
	Bus string
	// Group is the heading of -device help.
	Group string
}

// Find returns the entry called name.
func Find(list []Entry, name string) (Entry, bool) {
	for _, e := range list {
		if e.Name == name || e.Alias == name && name != "" {
			return e, true
		}
	}
	return Entry{}, false
}

// Names returns the names of what is built.
func Names(list []Entry) []string {
	var names []string
	for _, e := range list {
		if e.Built {
			names = append(names, e.Name)
		}
	}
	return names
}

// Default returns the entry that is taken where none is named.
func Default(list []Entry) Entry {
	i := slices.IndexFunc(list, func(e Entry) bool { return e.Default })
	return list[i]
}

// Machine returns the board called name. The versioned names of QEMU's
// releases (pc-i440fx-7.2) mean the same board.
func Machine(name string) (Entry, bool) {
	if strings.HasPrefix(name, "pc-i440fx-") {
		name = "pc"
	}
	if strings.HasPrefix(name, "pc-q35-") {
		name = "q35"
	}
	return Find(Machines(), name)
}

// Machines lists the boards.
func Machines() []Entry {
	return []Entry{
		{Name: "pc", Alias: "pc-i440fx-9.0", Desc: "Standard PC (i440FX + PIIX, 1996)", Built: true, Default: true},
		{Name: "isapc", Desc: "ISA-only PC", Built: true},
		{Name: "q35", Alias: "pc-q35-9.0", Desc: "Standard PC (Q35 + ICH9, 2009)"},
		{Name: "microvm", Desc: "microvm (i386)"},
		{Name: "none", Desc: "empty machine"},
	}
}

// Accels lists the engines.
func Accels() []Entry {
	return []Entry{
		{Name: "tcg", Desc: "translator to machine code (linux/amd64; elsewhere interp is used)", Built: true, Default: true},
		{Name: "interp", Desc: "portable interpreter of translated code", Built: true},
		{Name: "kvm", Desc: "Linux KVM"},
		{Name: "hvf", Desc: "macOS Hypervisor.framework"},
		{Name: "whpx", Desc: "Windows Hypervisor Platform"},
		{Name: "nvmm", Desc: "NetBSD NVMM"},
		{Name: "xen", Desc: "Xen"},
		{Name: "hax", Desc: "Intel HAXM"},
		{Name: "qtest", Desc: "no processor, for device tests"},
	}
}

// CPUs lists the processor models of a target, "i386" or "x86_64": those of
// guest/x86, and QEMU's that are refused by name.
func CPUs(target string) []Entry {
	var list []Entry
	long := target == "x86_64"
	if long { // the default is one that today's user lands (x86-64-v2) run on
		for _, m := range x86.Models64() {
			list = append(list, Entry{Name: m.Name, Desc: m.Title, Bits: 64, Built: true, Default: m.Name == "Nehalem"})
		}
	}
	for _, m := range x86.Models() {
		if _, known := Find(list, m.Name); !known {
			list = append(list, Entry{Name: m.Name, Desc: m.Title, Bits: 32, Built: true, Default: !long && m.Name == "qemu32"})
		}
	}
	for _, name := range []string{"kvm32", "base"} {
		list = append(list, Entry{Name: name, Bits: 32})
	}
	for _, name := range []string{"host", "qemu64", "kvm64", "core2duo", "phenom", "Conroe", "Penryn", "Nehalem", "Westmere", "SandyBridge",
		"IvyBridge", "Haswell", "Broadwell", "Skylake-Client", "Skylake-Server", "Cascadelake-Server", "Cooperlake", "Icelake-Server",
		"SapphireRapids", "Snowridge", "KnightsMill", "Denverton", "Dhyana", "Opteron_G1", "Opteron_G2", "Opteron_G3", "Opteron_G4",
		"Opteron_G5", "EPYC", "EPYC-Rome", "EPYC-Milan", "EPYC-Genoa"} {
		if _, known := Find(list, name); !known {
			list = append(list, Entry{Name: name, Bits: 64})
		}
	}
	return list
}

// Formats lists the image formats.
func Formats() []Entry {
	return []Entry{
		{Name: "raw", Built: true, Default: true}, {Name: "qcow2", Built: true},
		{Name: "qcow"}, {Name: "vmdk"}, {Name: "vdi"}, {Name: "vpc"}, {Name: "vhdx"}, {Name: "vvfat"},
		{Name: "cloop"}, {Name: "dmg"}, {Name: "parallels"}, {Name: "bochs"}, {Name: "qed"}, {Name: "luks"}, {Name: "nbd"},
	}
}

// VGAs lists the display adapters of -vga.
func VGAs() []Entry {
	return []Entry{
		{Name: "std", Desc: "VGA with Bochs VBE extensions", Built: true, Default: true},
		{Name: "none", Desc: "no display adapter", Built: true},
		{Name: "cirrus", Desc: "Cirrus Logic GD5446", Built: true},
		{Name: "vmware", Desc: "VMware SVGA II"},
		{Name: "qxl", Desc: "SPICE QXL"},
		{Name: "virtio", Desc: "virtio VGA"},
		{Name: "xenfb"}, {Name: "tcx"}, {Name: "cg3"},
	}
}

// Displays lists what can show the screen.
func Displays() []Entry {
	return []Entry{
		{Name: "none", Desc: "nothing (the monitor's screendump works)", Built: true, Default: true},
		{Name: "vnc", Desc: "VNC server, as -vnc", Built: true},
		{Name: "web", Desc: "a page for browsers, web=127.0.0.1:8080", Built: true},
		{Name: "x11", Desc: "a window", Built: true},
		{Name: "curses", Desc: "the text in the terminal", Built: true},
		{Name: "sdl"}, {Name: "gtk"}, {Name: "egl-headless"}, {Name: "spice-app"},
		{Name: "dbus"}, {Name: "cocoa"},
	}
}

// Chardevs lists the back ends of character devices.
func Chardevs() []Entry {
	return []Entry{
		{Name: "stdio", Built: true}, {Name: "null", Built: true}, {Name: "socket", Built: true},
		{Name: "file", Built: true}, {Name: "pipe", Built: true}, {Name: "pty", Built: true},
		{Name: "ringbuf", Alias: "memory", Built: true}, {Name: "serial", Alias: "tty", Built: true},
		{Name: "vc", Desc: "a console of the display, which -display web shows", Built: true},
		{Name: "udp", Built: true}, {Name: "parallel", Alias: "parport"}, {Name: "console"}, {Name: "msmouse"}, {Name: "wctablet"},
		{Name: "braille"}, {Name: "testdev"}, {Name: "spicevmc"}, {Name: "spiceport"}, {Name: "qemu-vdagent"}, {Name: "dbus"},
		{Name: "hub"},
	}
}

// Audiodevs lists where sound goes.
func Audiodevs() []Entry {
	return []Entry{
		{Name: "none", Desc: "nowhere (the monitor's wavcapture works)", Built: true, Default: true},
		{Name: "wav", Desc: "a WAVE file", Built: true},
		{Name: "pa", Desc: "PulseAudio and PipeWire", Built: true},
		{Name: "alsa"}, {Name: "coreaudio"}, {Name: "dbus"}, {Name: "dsound"}, {Name: "jack"}, {Name: "oss"}, {Name: "pipewire"}, {Name: "sdl"},
		{Name: "sndio"}, {Name: "spice"},
	}
}

// Netdevs lists the networks of the host.
func Netdevs() []Entry {
	return []Entry{
		{Name: "user", Desc: "the guest's connections are sockets of this process", Built: true, Default: true},
		{Name: "tap", Desc: "a TAP interface of the host (Linux)", Built: true},
		{Name: "socket", Desc: "another machine, by TCP, UDP or multicast", Built: true},
		{Name: "stream", Desc: "another machine, by TCP or a unix socket", Built: true},
		{Name: "dgram", Desc: "another machine, by UDP, multicast or a unix socket", Built: true},
		{Name: "hubport", Desc: "a port of a hub", Built: true},
		{Name: "bridge"}, {Name: "vde"}, {Name: "l2tpv3"}, {Name: "netmap"}, {Name: "af-xdp"}, {Name: "passt"},
		{Name: "vhost-user"}, {Name: "vhost-vdpa"}, {Name: "vmnet-host"}, {Name: "vmnet-shared"}, {Name: "vmnet-bridged"},
	}
}
