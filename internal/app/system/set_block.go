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

// driveSpec is a drive as it was written; where it goes is known when all are.
type driveSpec struct {
	Drive
	bus, unit, index int // -1 = not given
	media            string
	snapshot         *bool
}

func newDriveSpec(option string) driveSpec {
	return driveSpec{
		Drive: Drive{Interface: "ide", WError: "enospc", RError: "report", BootIndex: -1, Option: option},
		bus:   -1, unit: -1, index: -1,
	}
}

// addImage is -hda to -hdd, -cdrom and a bare file name.
func (p *parser) addImage(file string, index int, cdrom bool) error {
	d := newDriveSpec(p.option)
	if err := setFile(&d.File, file); err != nil {
		return err
	}
	d.index, d.CDROM, d.ReadOnly = index, cdrom, cdrom
	if err := d.cutInject(); err != nil {
		return err
	}
	p.drives = append(p.drives, d)
	return nil
}

func (p *parser) addFloppy(file string, index int) error {
	d := newDriveSpec(p.option)
	if err := setFile(&d.File, file); err != nil {
		return err
	}
	d.Interface, d.index = "floppy", index
	if err := d.cutInject(); err != nil {
		return err
	}
	p.drives = append(p.drives, d)
	return nil
}

func setDrive(p *parser, arg string) error {
	l, err := prop.Parse(arg, "")
	if err != nil {
		return err
	}
	d := newDriveSpec(p.option)
	driver := ""
	var s prop.Set
	if l.WantsHelp("") {
		declareDrive(&s, &d, &driver)
		return helpAsked{func(w io.Writer) { formsHelp(w, "-drive options:", s.Forms()) }}
	}
	declareDrive(&s, &d, &driver)
	if err := s.Bind(l); err != nil {
		return err
	}
	if driver != "" && d.Format != "" && driver != d.Format {
		return errors.New("'driver' and 'format' are the same: give one")
	}
	if driver != "" {
		d.Format = driver
	}
	return p.addDrive(d)
}

func declareDrive(s *prop.Set, d *driveSpec, driver *string) {
	readonly := func(v string) (err error) {
		if v == "auto" {
			return nil
		}
		d.ReadOnly, err = prop.OnOff(v)
		return err
	}
	s.String("file", &d.File)
	s.String("id", &d.ID)
	s.Func("if", "ide|floppy|none", func(v string) error {
		switch v {
		case "ide", "floppy", "none":
			d.Interface = v
			return nil
		case "scsi", "virtio", "pflash", "sd", "mtd", "xen":
			return fmt.Errorf("the interface '%s' is not supported yet; use if=ide", v)
		}
		return fmt.Errorf("unsupported bus type '%s'%s", v, prop.DidYouMean(v, []string{"ide", "floppy", "none"}))
	})
	s.Int("bus", &d.bus, 0, 255)
	s.Int("unit", &d.unit, 0, 255)
	s.Int("index", &d.index, 0, 255)
	s.Enum("media", &d.media, "disk", "cdrom")
	s.Func("format", "raw|qcow2", func(v string) error { return checkFormat(v, &d.Format) })
	s.Func("driver", "raw|qcow2", func(v string) error { return checkFormat(v, driver) })
	s.String("backing.file.filename", &d.Backing)
	s.OptBool("snapshot", &d.snapshot)
	s.Func("readonly", "on|off", readonly)
	s.Func("read-only", "on|off", readonly)
	s.Func("cache", "none|writeback|writethrough|directsync|unsafe", func(v string) error {
		var names []string
		for _, m := range cacheModes {
			if m.name == v {
				d.Cache = m.Cache
				return nil
			}
			names = append(names, m.name)
		}
		return fmt.Errorf("'%s' is not one of %s", v, strings.Join(names[:5], ", "))
	})
	s.Enum("werror", &d.WError, "enospc", "report", "ignore", "stop")
	s.Enum("rerror", &d.RError, "report", "ignore", "stop")
	s.String("serial", &d.Serial)
	s.Int("cyls", &d.Cyls, 1, 65535)
	s.Int("heads", &d.Heads, 1, 255)
	s.Int("secs", &d.Secs, 1, 255)
	s.Enum("trans", &d.Trans, "none", "lba", "large", "rechs", "auto")
	discardProps(s, &d.Discard)
	// Hints about the host's I/O; with a raw file nothing is seen of them.
	s.Ignore("aio", "file.locking", "force-share", "auto-read-only")
	s.IgnoreOff("copy-on-read")
	s.NotYet("addr", "throttling", "bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr", "bps_max", "iops_max", "group", "backing")
}

// discardProps declares what becomes of what the guest no longer needs.
func discardProps(s *prop.Set, d *Discard) {
	s.Func("discard", "ignore|off|unmap|on", func(v string) (err error) { d.Unmap, err = unmaps(v); return err })
	s.Func("detect-zeroes", "off|on|unmap", func(v string) error {
		if v != "off" && v != "on" && v != "unmap" {
			return fmt.Errorf("'%s' is not one of off, on, unmap", v)
		}
		d.Zeroes, d.zeroesUnmap = v != "off", v == "unmap"
		return nil
	})
}

func unmaps(v string) (bool, error) {
	switch v {
	case "ignore", "off":
		return false, nil
	case "unmap", "on":
		return true, nil
	}
	return false, fmt.Errorf("'%s' is not one of ignore, off, unmap, on", v)
}

// check says what QEMU says of the one without the other.
func (d *Discard) check() error {
	if d.zeroesUnmap && !d.Unmap {
		return errors.New("setting detect-zeroes to unmap is not allowed without setting discard operation to unmap")
	}
	return nil
}

// checkFormat takes the name of a format that is built.
func checkFormat(v string, p *string) error {
	f, ok := catalog.Find(catalog.Formats(), v)
	if !ok {
		return fmt.Errorf("unknown format '%s'%s", v, prop.DidYouMean(v, catalog.Names(catalog.Formats())))
	}
	if !f.Built {
		return fmt.Errorf("the format '%s' is not supported yet; 'qemu-img convert -O raw' makes a raw image of it", v)
	}
	*p = v
	return nil
}

func (p *parser) addDrive(d driveSpec) error {
	if err := d.Discard.check(); err != nil {
		return err
	}
	switch {
	case d.index >= 0 && (d.bus >= 0 || d.unit >= 0):
		return errors.New("index cannot be used with bus and unit")
	case d.Trans != "" && d.Cyls == 0:
		return errors.New("'trans' needs cyls, heads and secs")
	case (d.Cyls != 0) != (d.Heads != 0) || (d.Cyls != 0) != (d.Secs != 0):
		return errors.New("cyls, heads and secs go together")
	}
	if d.Interface == "none" {
		if d.index >= 0 || d.bus >= 0 || d.unit >= 0 {
			return errors.New("if=none takes no index, bus or unit: the -device that uses the drive says where it is")
		}
		if d.ID == "" {
			return errors.New("if=none needs an id for -device to name")
		}
	}
	if d.media == "cdrom" {
		d.CDROM, d.ReadOnly = true, true
	}
	if d.File == "" && !d.CDROM && d.Interface == "ide" {
		return errors.New("parameter 'file' is missing")
	}
	if err := d.cutInject(); err != nil {
		return err
	}
	p.drives = append(p.drives, d)
	return nil
}

// setBlockdev keeps the nodes; the one that a -device names becomes a drive.
func setBlockdev(p *parser, arg string) error {
	l, err := prop.Parse(arg, "driver")
	if err != nil {
		return err
	}
	if l.WantsHelp("driver") {
		return helpAsked{func(w io.Writer) {
			listHelp(w, "Supported block drivers:", append(catalog.Formats(), catalog.Entry{Name: "file", Built: true}, catalog.Entry{Name: "blkdebug", Built: true}))
		}}
	}
	if name, _ := l.Get("node-name"); name == "" {
		return errors.New("parameter 'node-name' is missing")
	}
	p.blockdevs = append(p.blockdevs, append(l, prop.Opt{Key: "\x00option", Value: p.option}))
	return nil
}

// finishBlockdevs makes an if=none drive of each raw node, or file node that
// no raw node is put on.
func (p *parser) finishBlockdevs() error {
	nodes, used := map[string]*driveSpec{}, map[string]bool{}
	var names []string
	for _, l := range p.blockdevs {
		option, l := l.Take("\x00option")
		d := newDriveSpec(option)
		d.Interface = "none"
		var driver, file, inner string
		fileUnmap := true // what a format is on lets through what the format does
		if v, _ := l.Get("driver"); v == "blkdebug" {
			d.Inject = &Inject{}
			var err error
			if l, err = d.Inject.takeRules(l); err != nil {
				return &optError{option, err}
			}
		}
		var s prop.Set
		s.String("driver", &driver)
		s.String("node-name", &d.ID)
		s.String("filename", &d.File)
		s.String("file", &file)
		s.String("file.driver", &inner)
		s.String("file.filename", &d.File)
		s.String("backing.file.filename", &d.Backing)
		s.Bool("read-only", &d.ReadOnly)
		for _, prefix := range []string{"", "file."} {
			s.Bool(prefix+"cache.direct", &d.Cache.Direct)
			s.Bool(prefix+"cache.no-flush", &d.Cache.NoFlush)
		}
		s.Ignore("file.node-name", "auto-read-only", "file.aio", "aio",
			"file.locking", "locking", "force-share", "file.read-only", "file.auto-read-only")
		discardProps(&s, &d.Discard)
		s.Func("file.discard", "ignore|unmap", func(v string) (err error) { fileUnmap, err = unmaps(v); return err })
		if d.Inject != nil {
			s.String("config", &d.Inject.Config)
			s.String("image", &file)
			s.String("image.driver", &inner)
			s.String("image.filename", &d.File)
			s.Ignore("image.node-name", "align")
		}
		if err := s.Bind(l); err != nil {
			return &optError{option, err}
		}
		err := d.Discard.check()
		d.Discard.Unmap = d.Discard.Unmap && fileUnmap
		switch {
		case err != nil:
		case nodes[d.ID] != nil:
			err = fmt.Errorf("the node-name '%s' was given twice", d.ID)
		case driver == "file" || driver == "host_device":
			if d.File == "" {
				err = errors.New("parameter 'filename' is missing")
			}
		case driver != "raw" && driver != "qcow2" && driver != "blkdebug":
			if err = checkFormat(driver, &d.Format); err == nil {
				err = fmt.Errorf("the driver '%s' is not supported yet", driver)
			}
		case inner != "" && inner != "file" && inner != "host_device":
			err = fmt.Errorf("the driver '%s' is not supported yet", inner)
		case file != "":
			below := nodes[file]
			if below == nil {
				err = fmt.Errorf("no -blockdev before it has the node-name '%s'", file)
				break
			}
			if d.Inject != nil && below.Inject != nil {
				err = errors.New("a blkdebug on another is not supported yet")
				break
			}
			d.File, d.ReadOnly = below.File, d.ReadOnly || below.ReadOnly
			if below.Inject != nil {
				d.Inject = below.Inject
			}
			d.Discard.Unmap = d.Discard.Unmap && below.Discard.Unmap
			d.Cache.Direct = d.Cache.Direct || below.Cache.Direct
			d.Cache.NoFlush = d.Cache.NoFlush || below.Cache.NoFlush
			used[file] = true
		case d.File == "":
			err = errors.New("parameter 'file' is missing")
		}
		if err != nil {
			return &optError{option, err}
		}
		if d.Format = "raw"; driver == "qcow2" {
			d.Format = driver
		}
		nodes[d.ID] = &d
		names = append(names, d.ID)
	}
	for _, n := range names {
		if !used[n] {
			p.drives = append(p.drives, *nodes[n])
		}
	}
	return nil
}

// finishDrives gives each drive its place. The PC has two IDE buses of two
// units and a floppy controller of two.
func (p *parser) finishDrives() error {
	c := p.cfg
	type place struct {
		kind      string
		bus, unit int
	}
	taken := map[place]bool{}
	ids := map[string]bool{}
	limits := map[string][2]int{"ide": {2, 2}, "floppy": {1, 2}}
	put := func(d *driveSpec) error {
		fail := func(format string, args ...any) error { return &optError{d.Option, fmt.Errorf(format, args...)} }
		if d.ID != "" && ids[d.ID] {
			return fail("the id '%s' was given twice", d.ID)
		}
		ids[d.ID] = true
		if d.snapshot != nil {
			d.Snapshot = *d.snapshot
		} else {
			d.Snapshot = p.snapshot
		}
		if d.Snapshot {
			d.Cache = Cache{NoFlush: true}
		}
		d.Bus, d.Unit = d.bus, d.unit
		lim, placed := limits[d.Interface]
		if !placed {
			c.Drives = append(c.Drives, d.Drive)
			return nil
		}
		if d.index >= 0 {
			d.Bus, d.Unit = d.index/lim[1], d.index%lim[1]
		}
		if d.Bus < 0 && d.Unit < 0 {
			d.Bus, d.Unit = 0, 0
			for taken[place{d.Interface, d.Bus, d.Unit}] {
				if d.Unit++; d.Unit == lim[1] {
					d.Bus, d.Unit = d.Bus+1, 0
				}
			}
			if d.Bus >= lim[0] {
				return fail("there is no room for another %s drive (at most %d)", d.Interface, lim[0]*lim[1])
			}
		}
		d.Bus = max(d.Bus, 0)
		if d.Unit < 0 {
			d.Unit = 0
			for d.Unit < lim[1]-1 && taken[place{d.Interface, d.Bus, d.Unit}] {
				d.Unit++
			}
		}
		at := place{d.Interface, d.Bus, d.Unit}
		switch {
		case d.Bus >= lim[0]:
			return fail("there is no %s bus %d (at most %d)", d.Interface, d.Bus, lim[0]-1)
		case d.Unit >= lim[1]:
			return fail("unit %d is too big (max is %d)", d.Unit, lim[1]-1)
		case taken[at]:
			return fail("drive with bus=%d, unit=%d (index=%d) exists", d.Bus, d.Unit, d.Bus*lim[1]+d.Unit)
		}
		taken[at] = true
		c.Drives = append(c.Drives, d.Drive)
		return nil
	}
	// Those with a place of their own come first, the others fill the gaps.
	free := func(d driveSpec) bool { return d.index < 0 && d.bus < 0 && d.unit < 0 }
	for _, pass := range []bool{false, true} {
		for i := range p.drives {
			if free(p.drives[i]) == pass {
				if err := put(&p.drives[i]); err != nil {
					return err
				}
			}
		}
	}
	if err := p.finishDeviceDrives(func(kind string, bus, unit int) bool {
		at := place{kind, bus, unit}
		was := taken[at]
		taken[at] = true
		return !was
	}); err != nil {
		return err
	}
	if cd := (place{"ide", 1, 0}); !p.noDefaults && !taken[cd] {
		d := newDriveSpec("the default CD-ROM drive").Drive
		d.Bus, d.CDROM, d.ReadOnly = 1, true, true
		c.Drives = append(c.Drives, d)
	}
	fd := place{"floppy", 0, 0}
	if !p.noDefaults && !taken[fd] && !slices.ContainsFunc(p.devices, func(d Device) bool { return d.Driver == "floppy" }) {
		d := newDriveSpec("the default floppy drive").Drive
		d.Interface = "floppy"
		c.Drives = append(c.Drives, d)
	}
	return nil
}
