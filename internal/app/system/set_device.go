package system

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"rhea/internal/catalog"
	"rhea/internal/prop"
)

func setDevice(p *parser, arg string) error {
	l, err := prop.Parse(arg, "driver")
	if err != nil {
		return err
	}
	name, _ := l.Get("driver")
	if prop.IsHelp(name) {
		return helpAsked{deviceHelp}
	}
	e, ok := catalog.Find(catalog.Devices(), name)
	switch {
	case name == "":
		return errors.New("the driver's name is missing; -device help lists them")
	case !ok:
		return fmt.Errorf("'%s' is not a valid device model name%s; -device help lists them", name,
			prop.DidYouMean(name, catalog.Names(catalog.Devices())))
	case !e.Built:
		return fmt.Errorf("the device '%s' is not supported yet; -device help lists those that are", name)
	}
	if l.WantsHelp("driver") {
		return helpAsked{func(w io.Writer) {
			var s prop.Set
			deviceProps(e.Name, &s, &deviceTarget{})
			formsHelp(w, name+" options:", s.Forms())
		}}
	}
	d := Device{Driver: e.Name, Option: p.option}
	for _, o := range l {
		switch o.Key {
		case "driver":
		case "id":
			if !validID(o.Value) {
				return fmt.Errorf("parameter 'id': '%s' is not an identifier (a letter, then letters, digits, '-', '.', '_')", o.Value)
			}
			if slices.ContainsFunc(p.devices, func(d Device) bool { return d.ID == o.Value }) {
				return fmt.Errorf("the id '%s' was given twice", o.Value)
			}
			d.ID = o.Value
		default:
			d.Props = append(d.Props, o)
		}
	}
	p.devices = append(p.devices, d)
	return nil
}

// validID: QEMU's identifiers.
func validID(s string) bool {
	for i, c := range s {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || strings.ContainsRune("-._", c))) {
			return false
		}
	}
	return s != ""
}

// deviceTarget is what the properties of the built-in devices set.
type deviceTarget struct {
	drive Drive
	// writeCache is whether the guest finds the drive's write cache on.
	writeCache *bool
	driveID    string
	bus, unit  int
	busName    string
	panic      PVPanic
	exit       DebugExit
	con        Debugcon
	chardev    string
	index      int
	iobase     uint64
	irq        uint64
	vgamem     uint64
	sound      Sound
	nic        NIC
}

// deviceProps declares the properties of a built-in device.
func deviceProps(driver string, s *prop.Set, t *deviceTarget) {
	u16 := func(name string, p *uint16) {
		s.Func(name, "<num>", func(v string) error {
			n, err := prop.Uint(v, 16)
			*p = uint16(n)
			return err
		})
	}
	switch driver {
	case "e1000", "rtl8139", "ne2k_pci", "ne2k_isa":
		nicProps(driver, s, &t.nic)
	case "ide-hd", "ide-cd":
		d := &t.drive
		s.String("serial", &d.Serial)
		s.String("model", &d.Model)
		s.String("ver", &d.Version)
		s.Int("cyls", &d.Cyls, 1, 65535)
		s.Int("heads", &d.Heads, 1, 255)
		s.Int("secs", &d.Secs, 1, 255)
		s.Enum("bios-chs-trans", &d.Trans, "none", "lba", "large", "rechs", "auto")
		s.Uint("wwn", &d.WWN, 64)
		blockProps(s, t)
		s.NotYet("lcyls", "lheads", "lsecs", "rotation_rate")
	case "floppy":
		s.Enum("drive-type", &t.drive.FloppyType, "120", "144", "288", "auto")
		blockProps(s, t)
	case "isa-debug-exit":
		u16("iobase", &t.exit.IOBase)
		s.Int("iosize", &t.exit.IOSize, 1, 4)
	case "pvpanic":
		u16("ioport", &t.panic.IOPort)
		s.Func("events", "<num>", func(v string) error {
			n, err := prop.Uint(v, 8)
			t.panic.Events = byte(n) & 3
			return err
		})
	case "isa-debugcon":
		u16("iobase", &t.con.IOBase)
		s.String("chardev", &t.con.Chardev)
		s.Func("readback", "<num>", func(v string) error {
			n, err := prop.Uint(v, 8)
			t.con.ReadBack = byte(n)
			return err
		})
	case "isa-serial", "isa-parallel":
		s.String("chardev", &t.chardev)
		s.Int("index", &t.index, 0, 3)
		s.Uint("iobase", &t.iobase, 16)
		s.Uint("irq", &t.irq, 4)
		s.Ignore("wakeup")
	case "sb16", "adlib", "AC97", "ES1370":
		soundProps(driver, s, &t.sound)
	case "VGA", "isa-vga", "cirrus-vga":
		s.Func("vgamem_mb", "<power of two>", func(v string) error {
			n, err := prop.Uint(v, 16)
			if err == nil && (n == 0 || n > 512 || n&(n-1) != 0) {
				err = fmt.Errorf("'%s' is no power of two up to 512", v)
			}
			t.vgamem = n
			return err
		})
		// The adapter has one place: only that can be asked for.
		s.Enum("bus", &t.busName, "pci.0", "isa.0")
		s.Func("addr", "02.0", func(v string) error {
			if v != "02.0" && v != "2" && v != "0x2" && v != "0x02" {
				return fmt.Errorf("'%s' is not supported yet: the display adapter is in slot 2", v)
			}
			return nil
		})
		// Hints of displays, which are not built yet.
		s.Ignore("edid", "xres", "yres", "xmax", "ymax", "refresh_rate")
		s.IgnoreOff("multifunction", "big-endian-framebuffer", "global-vmstate")
		s.IgnoreOn("mmio", "qemu-extended-regs")
		s.NotYet("romfile")
	}
}

// blockProps declares the properties that all drives have.
func blockProps(s *prop.Set, t *deviceTarget) {
	d := &t.drive
	s.String("drive", &t.driveID)
	s.String("bus", &t.busName)
	s.Int("unit", &t.unit, 0, 1)
	s.Int("bootindex", &d.BootIndex, 0, 1<<20)
	s.Enum("werror", &d.WError, "auto", "enospc", "report", "ignore", "stop")
	s.Enum("rerror", &d.RError, "auto", "report", "ignore", "stop")
	s.Func("write-cache", "on|off|auto", func(v string) error {
		if v == "auto" {
			return nil
		}
		on, err := prop.OnOff(v)
		t.writeCache = &on
		return err
	})
	for _, size := range []string{"logical_block_size", "physical_block_size"} {
		s.Func(size, "512", func(v string) error {
			if v != "512" {
				return fmt.Errorf("'%s' is not supported yet, 512 is", v)
			}
			return nil
		})
	}
	// About other users of the image, and what has no default to change.
	s.Ignore("share-rw", "backend_defaults")
	s.NotYet("discard_granularity", "min_io_size", "opt_io_size")
}

// finishDevices gives the built-in devices their places in the Config.
func (p *parser) finishDevices() error {
	c := p.cfg
	for i := range p.devices {
		d := &p.devices[i]
		if isDrive(d.Driver) {
			continue // finishDeviceDrives
		}
		fail := func(err error) error { return &optError{d.Option, err} }
		t := deviceTarget{index: -1}
		t.panic = PVPanic{IOPort: 0x505, Events: 3}
		t.exit = DebugExit{IOBase: 0x501, IOSize: 2}
		t.con = Debugcon{IOBase: 0xe9, ReadBack: 0xe9}
		t.nic = newNIC(d.Driver, d.Option)
		var s prop.Set
		deviceProps(d.Driver, &s, &t)
		if err := s.Bind(d.Props); err != nil {
			return fail(err)
		}
		switch d.Driver {
		case "e1000", "rtl8139", "ne2k_pci", "ne2k_isa":
			t.nic.ID = d.ID
			c.NICs = append(c.NICs, t.nic)
		case "isa-debug-exit":
			if c.DebugExit != nil {
				return fail(errors.New("a second isa-debug-exit is not supported yet"))
			}
			c.DebugExit = &t.exit
		case "pvpanic":
			if c.PVPanic != nil {
				return fail(errors.New("there is one pvpanic already"))
			}
			c.PVPanic = &t.panic
		case "isa-debugcon":
			if t.con.Chardev == "" || c.Chardev(t.con.Chardev) == nil {
				return fail(noChardev(t.con.Chardev))
			}
			if c.Debugcon != nil {
				return fail(errors.New("a second debug console is not supported yet"))
			}
			c.Debugcon = &t.con
		case "isa-serial", "isa-parallel":
			ports := &c.Serials
			bases := []uint64{0x3f8, 0x2f8, 0x3e8, 0x2e8}
			if d.Driver == "isa-parallel" {
				ports, bases = &c.Parallels, []uint64{0x378, 0x278, 0x3bc}
			}
			if t.chardev != "" && c.Chardev(t.chardev) == nil {
				return fail(noChardev(t.chardev))
			}
			if t.iobase != 0 {
				if t.index = slices.Index(bases, t.iobase); t.index < 0 {
					return fail(fmt.Errorf("iobase=%#x is not one of the standard ports (%#x)", t.iobase, bases))
				}
			}
			if t.index < 0 {
				if t.index = slices.Index(*ports, ""); t.index < 0 {
					t.index = len(*ports)
				}
			}
			if t.index >= len(bases) {
				return fail(fmt.Errorf("at most %d of them are supported", len(bases)))
			}
			for len(*ports) <= t.index {
				*ports = append(*ports, "")
			}
			if (*ports)[t.index] != "" {
				return fail(fmt.Errorf("port %d is in use already", t.index))
			}
			if t.chardev == "" {
				t.chardev = p.addChardev(Chardev{ID: p.freeID("null"), Backend: "null", FD: -1, Option: d.Option})
			}
			(*ports)[t.index] = t.chardev
		case "VGA", "isa-vga", "cirrus-vga":
			if p.vga != "" && p.vga != "none" || c.VGA == "std" && p.vga == "" && d.Option == "" {
				return fail(errors.New("a second display adapter is not supported yet; use -vga none with it"))
			}
			c.VGA, c.VGAMemory = "std", t.vgamem<<20
			if d.Driver == "cirrus-vga" {
				if t.vgamem != 0 && t.vgamem != 4 {
					return fail(errors.New("a CL-GD5446 has 4 MiB of memory"))
				}
				c.VGA = "cirrus"
			}
			p.vga = c.VGA
		case "sb16", "adlib", "AC97", "ES1370":
			if err := p.addSound(*d); err != nil {
				return fail(err)
			}
		default:
			c.Devices = append(c.Devices, *d)
		}
	}
	return nil
}

func noChardev(id string) error {
	if id == "" {
		return errors.New("parameter 'chardev' is missing")
	}
	return fmt.Errorf("no -chardev has the id '%s'", id)
}

func isDrive(driver string) bool {
	return driver == "ide-hd" || driver == "ide-cd" || driver == "floppy"
}

// finishDeviceDrives attaches the if=none drives that ide-hd, ide-cd and
// floppy name.
func (p *parser) finishDeviceDrives(take func(kind string, bus, unit int) bool) error {
	c := p.cfg
	for i := range p.devices {
		d := &p.devices[i]
		if !isDrive(d.Driver) {
			continue
		}
		fail := func(format string, args ...any) error { return &optError{d.Option, fmt.Errorf(format, args...)} }
		t := deviceTarget{unit: -1, drive: Drive{BootIndex: -1}}
		var s prop.Set
		deviceProps(d.Driver, &s, &t)
		if err := s.Bind(d.Props); err != nil {
			return &optError{d.Option, err}
		}
		var dst *Drive
		for j := range c.Drives {
			if c.Drives[j].ID == t.driveID && t.driveID != "" {
				dst = &c.Drives[j]
			}
		}
		switch {
		case dst != nil && dst.Interface != "none":
			return fail("the drive '%s' is in use already; it needs if=none", t.driveID)
		case dst == nil && t.driveID != "":
			return fail("no -drive or -blockdev has the id '%s'", t.driveID)
		case dst == nil && d.Driver == "ide-hd":
			return fail("parameter 'drive' is missing")
		case dst == nil:
			c.Drives = append(c.Drives, newDriveSpec(d.Option).Drive)
			dst = &c.Drives[len(c.Drives)-1]
		}
		kind, buses := "ide", 2
		if d.Driver == "floppy" {
			kind, buses = "floppy", 1
		}
		bus, unit := 0, t.unit
		switch t.busName {
		case "ide.0", "floppy-bus.0":
		case "ide.1":
			bus = 1
		case "":
			bus = -1
		default:
			return fail("there is no bus '%s'; the buses are ide.0, ide.1 and floppy-bus.0", t.busName)
		}
		if t.busName != "" && strings.HasPrefix(t.busName, "floppy") != (kind == "floppy") {
			return fail("%s does not fit the bus '%s'", d.Driver, t.busName)
		}
		found := false
		for b := max(bus, 0); b < buses && !found && (bus < 0 || b == bus); b++ {
			for u := max(unit, 0); u <= 1 && !found && (unit < 0 || u == unit); u++ {
				if take(kind, b, u) {
					dst.Bus, dst.Unit, found = b, u, true
				}
			}
		}
		if !found {
			return fail("that place of the bus is taken")
		}
		dst.Interface, dst.FloppyType = kind, t.drive.FloppyType
		dst.CDROM = d.Driver == "ide-cd"
		dst.ReadOnly = dst.ReadOnly || dst.CDROM
		for _, f := range []struct{ to, from *string }{
			{&dst.Serial, &t.drive.Serial}, {&dst.Model, &t.drive.Model}, {&dst.Version, &t.drive.Version},
			{&dst.Trans, &t.drive.Trans}, {&dst.WError, &t.drive.WError}, {&dst.RError, &t.drive.RError},
		} {
			if *f.from != "" && *f.from != "auto" {
				*f.to = *f.from
			}
		}
		if t.drive.Cyls != 0 {
			dst.Cyls, dst.Heads, dst.Secs = t.drive.Cyls, t.drive.Heads, t.drive.Secs
		}
		dst.BootIndex = t.drive.BootIndex
		if t.drive.WWN != 0 {
			dst.WWN = t.drive.WWN
		}
		if t.writeCache != nil {
			dst.Cache.Through = !*t.writeCache
		}
	}
	// What no device has taken is not seen by the guest; QEMU says nothing.
	c.Drives = slices.DeleteFunc(c.Drives, func(d Drive) bool {
		if d.Interface == "none" {
			p.note("%s: no -device uses this drive", d.Option)
		}
		return d.Interface == "none"
	})
	return nil
}
