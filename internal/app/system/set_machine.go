package system

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"rhea/internal/catalog"
	"rhea/internal/prop"
	"rhea/internal/trace"
)

// bind parses arg and binds its keys with what declare says.
func bind(arg, implied string, declare func(s *prop.Set)) error {
	l, err := prop.Parse(arg, implied)
	if err != nil {
		return err
	}
	var s prop.Set
	declare(&s)
	return s.Bind(l)
}

func ignoreArg(*parser, string) error { return nil }

// setFile is for options whose argument is a file.
func setFile(p *string, arg string) error {
	if arg == "" {
		return errors.New("the file name is empty")
	}
	*p = arg
	return nil
}

func newConfig(target string) *Config {
	return &Config{
		Target:  target,
		Machine: Machine{ACPI: true, VMPort: true, FDBootChk: true, Graphics: true},
		CPU:     CPU{Count: 1},
		Memory:  128 * prop.MiB,
		Boot:    Boot{SplashTime: -1, RebootTimeout: -1},
		RTC:     RTC{Clock: "host", DriftFix: "none"},
		Run:     Run{Escape: 1, Panic: "shutdown"},
	}
}

func setMachine(p *parser, arg string) error {
	l, err := prop.Parse(arg, "type")
	if err != nil {
		return err
	}
	if l.WantsHelp("type") {
		return helpAsked{machineHelp}
	}
	if t, ok := l.Get("type"); ok {
		if _, ok := catalog.Machine(t); !ok {
			return fmt.Errorf("unsupported machine type '%s'%s; -machine help lists them", t,
				prop.DidYouMean(t, catalog.Names(catalog.Machines())))
		}
	}
	// Later -machine options add to earlier ones.
	p.machineProps = append(p.machineProps, l...)
	p.machineOption = p.option
	return nil
}

func (p *parser) finishMachine() error {
	c := p.cfg
	var s prop.Set
	name, accel := catalog.Default(catalog.Machines()).Name, ""
	s.String("type", &name)
	s.String("accel", &accel)
	s.Bool("acpi", &c.Machine.ACPI)
	s.Func("vmport", "on|off|auto", func(v string) (err error) {
		if v != "auto" {
			c.Machine.VMPort, err = prop.OnOff(v)
		}
		return err
	})
	s.Bool("fd-bootchk", &c.Machine.FDBootChk)
	s.Bool("graphics", &c.Machine.Graphics)
	s.String("pcspk-audiodev", &c.Machine.SpeakerAudio)
	s.String("firmware", &c.Firmware.BIOS)
	s.String("kernel", &c.Kernel.File)
	s.String("initrd", &c.Kernel.Initrd)
	s.String("append", &c.Kernel.Append)
	s.IgnoreOff("usb", "hpet", "nvdimm", "kernel-irqchip", "kernel_irqchip", "confidential-guest-support", "enforce-config-section",
		"default-bus-bypass-iommu", "iommu", "igd-passthru", "dumpdtb")
	s.IgnoreOn("smm", "pit", "pic", "rtc", "smbus", "i8042")
	s.Ignore("dump-guest-core", "mem-merge", "suppress-vmdesc", "sata", "hmat", "phandle-start")
	s.NotYet("memory-backend", "max-ram-below-4g", "max-fw-size", "smbios-entry-point-type", "dtb", "shim", "cxl", "sgx-epc", "x-oem-id", "boot", "smp", "memory")
	wrap := func(err error) error {
		if err == nil {
			return nil
		}
		return &optError{p.machineOption, err}
	}
	if err := s.Bind(p.machineProps); err != nil {
		return wrap(err)
	}
	m, _ := catalog.Machine(name)
	if !m.Built {
		return wrap(fmt.Errorf("the machine '%s' is not supported yet; -machine help lists those that are", name))
	}
	c.Machine.Type = m.Name
	return p.finishAccel(accel)
}

func setAccel(p *parser, arg string) error {
	l, err := prop.Parse(arg, "accel")
	if err != nil {
		return err
	}
	if l.WantsHelp("accel") {
		return helpAsked{accelHelp}
	}
	name, ok := l.Get("accel")
	if !ok {
		return errors.New("the engine's name is missing; -accel help lists them")
	}
	if _, ok := catalog.Find(catalog.Accels(), name); !ok {
		return unknownAccel(name)
	}
	p.accels = append(p.accels, append(l, prop.Opt{Key: "\x00option", Value: p.option}))
	return nil
}

func unknownAccel(name string) error {
	return fmt.Errorf("invalid accelerator '%s'%s; -accel help lists them", name, prop.DidYouMean(name, catalog.Names(catalog.Accels())))
}

// finishAccel takes the first engine that is built: several -accel, or
// -machine accel=a:b, are tried in turn.
func (p *parser) finishAccel(fromMachine string) error {
	tries := p.accels
	if len(tries) == 0 && fromMachine != "" {
		for _, name := range strings.Split(fromMachine, ":") {
			tries = append(tries, prop.List{{Key: "accel", Value: name}, {Key: "\x00option", Value: p.machineOption}})
		}
	}
	if len(tries) == 0 {
		p.cfg.Accel.Name = catalog.Default(catalog.Accels()).Name
		return nil
	}
	var refused []string
	for _, l := range tries {
		option, l := l.Take("\x00option")
		name, _ := l.Get("accel")
		a, ok := catalog.Find(catalog.Accels(), name)
		if !ok {
			return &optError{option, unknownAccel(name)}
		}
		if !a.Built {
			refused = append(refused, name)
			continue
		}
		var s prop.Set
		var thread string
		s.String("accel", &p.cfg.Accel.Name)
		s.Size("tb-size", &p.cfg.Accel.TBSize, prop.MiB)
		s.Enum("thread", &thread, "single", "multi")
		s.Ignore("split-wx", "one-insn-per-tb")
		if err := s.Bind(l); err != nil {
			return &optError{option, err}
		}
		if len(refused) > 0 {
			p.note("the accelerator %s is not supported yet; using %s", strings.Join(refused, ", "), name)
		}
		return nil
	}
	return fmt.Errorf("the accelerator '%s' is not supported yet; leave it out, or use -accel tcg", strings.Join(refused, "', '"))
}

func setTBSize(p *parser, arg string) (err error) {
	p.cfg.Accel.TBSize, err = prop.Size(arg, prop.MiB)
	return err
}

func setTarget(p *parser, arg string) error {
	if arg != "i386" && arg != "x86_64" {
		return fmt.Errorf("the target '%s' is not supported yet; there are i386 and x86_64", arg)
	}
	p.cfg.Target = arg
	return nil
}

func setCPU(p *parser, arg string) error {
	if prop.IsHelp(arg) {
		return helpAsked{func(w io.Writer) { cpuHelp(w, p.cfg.Target) }}
	}
	p.cpu, p.cpuOption = arg, p.option
	return nil
}

func (p *parser) finishCPU() error {
	wrap := func(err error) error { return &optError{p.cpuOption, err} }
	if p.cpu == "" {
		p.cfg.CPU.Model = catalog.Default(catalog.CPUs(p.cfg.Target)).Name
		return nil
	}
	model, rest, _ := strings.Cut(p.cpu, ",")
	model = strings.TrimSuffix(strings.TrimSuffix(model, "-v1"), "-i386-cpu")
	list := catalog.CPUs(p.cfg.Target)
	e, ok := catalog.Find(list, model)
	switch {
	case !ok:
		return wrap(fmt.Errorf("unable to find CPU model '%s'%s; -cpu help lists them", model,
			prop.DidYouMean(model, catalog.Names(list))))
	case !e.Built && e.Bits == 64 && p.cfg.Target == "i386" && is64(model):
		return wrap(fmt.Errorf("the processor '%s' has 64 bits: start qemu-system-x86_64, or rhea system -target x86_64", model))
	case !e.Built:
		return wrap(fmt.Errorf("the processor '%s' is not supported yet; -cpu help lists those that are", model))
	}
	l, err := prop.Parse(rest, "")
	if err != nil {
		return wrap(err)
	}
	spec := e.Name
	for _, o := range l {
		switch {
		case o.Key == "check", o.Key == "migratable", o.Key == "enforce":
			// How strictly the host's processor must have the features: it need not.
		case o.Bare:
			spec += "," + o.Key
		default:
			spec += "," + o.Key + "=" + o.Value
		}
	}
	if _, err := parseModel(p.cfg.Target, spec); err != nil {
		return wrap(err)
	}
	p.cfg.CPU.Model = spec
	return nil
}

// is64 reports whether a 64-bit processor of that name is built.
func is64(model string) bool {
	e, ok := catalog.Find(catalog.CPUs("x86_64"), model)
	return ok && e.Built
}

func setSMP(p *parser, arg string) error {
	counts := map[string]*int{}
	err := bind(arg, "cpus", func(s *prop.Set) {
		for _, k := range []string{"cpus", "sockets", "dies", "clusters", "modules", "drawers", "books", "cores", "threads", "maxcpus"} {
			n := 0
			counts[k] = &n
			s.Int(k, &n, 1, 255)
		}
	})
	if err != nil {
		return err
	}
	n, product := *counts["cpus"], 1
	for k, v := range counts {
		if k != "cpus" && k != "maxcpus" {
			product *= max(1, *v)
		}
	}
	if n == 0 {
		n = max(product, *counts["maxcpus"])
	}
	if n > 1 {
		return fmt.Errorf("%d processors are not supported yet; use -smp 1", n)
	}
	return nil
}

func setMemory(p *parser, arg string) error {
	var size, slots, maxmem uint64
	given := ""
	err := bind(arg, "size", func(s *prop.Set) {
		s.Func("size", "<size>", func(v string) (err error) {
			given = v
			size, err = prop.Size(v, prop.MiB)
			return err
		})
		s.Uint("slots", &slots, 16)
		s.Size("maxmem", &maxmem, prop.MiB)
	})
	if err != nil {
		return err
	}
	if slots != 0 || maxmem > size {
		return errors.New("memory hot-plug (slots, maxmem) is not supported yet")
	}
	switch {
	case given == "":
		return errors.New("the size is missing")
	case size < prop.MiB:
		return fmt.Errorf("%s is too little: a PC needs at least 1M", given)
	case size > 64*prop.GiB:
		// 36 bits of physical address: SDM vol. 3, 4.4 (PAE).
		return fmt.Errorf("%s is too much: a 32-bit processor addresses at most 64G", given)
	}
	p.cfg.Memory = (size + 8191) &^ 8191
	return nil
}

func setGlobal(p *parser, arg string) error {
	if arg == "help" {
		return helpAsked{func(w io.Writer) { fmt.Fprintln(w, "-global driver.property=value") }}
	}
	name, _, ok := strings.Cut(arg, "=")
	if !strings.Contains(arg, "driver=") && (!ok || !strings.Contains(name, ".")) {
		return errors.New("driver.property=value is expected")
	}
	return nil
}

func setBoot(p *parser, arg string) error {
	b := &p.cfg.Boot
	drives := func(dst *string) func(string) error {
		return func(v string) error {
			for i, c := range v {
				if c < 'a' || c > 'p' {
					return fmt.Errorf("invalid boot device '%c' for PC (a floppy, c disk, d CD-ROM, n network)", c)
				}
				if strings.ContainsRune(v[:i], c) {
					return fmt.Errorf("boot device '%c' was given twice", c)
				}
				if !strings.ContainsRune("abcdn", c) {
					return fmt.Errorf("invalid boot device '%c' for PC (a floppy, c disk, d CD-ROM, n network)", c)
				}
			}
			*dst = v
			return nil
		}
	}
	return bind(arg, "order", func(s *prop.Set) {
		s.Func("order", "<drives>", drives(&b.Order))
		s.Func("once", "<drives>", drives(&b.Once))
		s.Bool("menu", &b.Menu)
		s.Bool("strict", &b.Strict)
		s.Int("splash-time", &b.SplashTime, 0, 65535)
		s.Int("reboot-timeout", &b.RebootTimeout, -1, 65535)
		s.NotYet("splash")
	})
}

func setName(p *parser, arg string) error {
	return bind(arg, "guest", func(s *prop.Set) {
		s.String("guest", &p.cfg.Name)
		s.Func("process", "<name>", func(string) error {
			p.note("-name process=: the process keeps its name")
			return nil
		})
		s.Ignore("debug-threads")
	})
}

func setUUID(p *parser, arg string) error {
	b, err := hex.DecodeString(strings.ReplaceAll(arg, "-", ""))
	if err != nil || len(b) != 16 {
		return fmt.Errorf("'%s' is not a UUID", arg)
	}
	p.cfg.UUID, p.cfg.HasUUID = [16]byte(b), true
	return nil
}

func setRTC(p *parser, arg string) error {
	r := &p.cfg.RTC
	return bind(arg, "base", func(s *prop.Set) {
		s.Func("base", "utc|localtime|datetime", func(v string) error {
			r.Local, r.Base = v == "localtime", time.Time{}
			if v == "utc" || v == "localtime" {
				return nil
			}
			return setStartDate(p, v)
		})
		s.Enum("clock", &r.Clock, "host", "rt", "vm")
		s.Enum("driftfix", &r.DriftFix, "none", "slew")
	})
}

func setStartDate(p *parser, arg string) error {
	if arg == "now" {
		p.cfg.RTC.Base = time.Time{}
		return nil
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(form, arg); err == nil {
			p.cfg.RTC.Base = t
			return nil
		}
	}
	return fmt.Errorf("invalid date '%s'; valid are '2006-06-17T16:01:21' and '2006-06-17'", arg)
}

func setAction(p *parser, arg string) error {
	var reboot, shutdown, watchdog string
	err := bind(arg, "", func(s *prop.Set) {
		s.Enum("reboot", &reboot, "reset", "shutdown")
		s.Enum("shutdown", &shutdown, "poweroff", "pause")
		s.Enum("panic", &p.cfg.Run.Panic, "pause", "shutdown", "exit-failure", "none")
		s.Enum("watchdog", &watchdog, "reset", "shutdown", "poweroff", "inject-nmi", "pause", "debug", "none")
	})
	if reboot != "" {
		p.cfg.Run.NoReboot = reboot == "shutdown"
	}
	if shutdown != "" {
		p.cfg.Run.NoShutdown = shutdown == "pause"
	}
	if watchdog != "" && err == nil {
		p.note("-action watchdog=: this machine has no watchdog yet")
	}
	return err
}

func setLog(p *parser, arg string) error {
	if slices.ContainsFunc(strings.Split(arg, ","), prop.IsHelp) {
		return helpAsked{logHelp}
	}
	items, unknown, err := trace.ParseItems(arg)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		p.note("log items that are not built have no effect: %s", strings.Join(unknown, ","))
	}
	p.cfg.Log.Items |= items
	return nil
}

func setFirmwareDir(p *parser, arg string) error {
	if prop.IsHelp(arg) {
		return helpAsked{func(w io.Writer) { firmwareHelp(w, p.cfg.Firmware.Dirs) }}
	}
	p.cfg.Firmware.Dirs = append(p.cfg.Firmware.Dirs, arg)
	return nil
}

func setFWCfg(p *parser, arg string) error {
	var f FWFile
	var hasString bool
	err := bind(arg, "name", func(s *prop.Set) {
		s.String("name", &f.Name)
		s.String("file", &f.File)
		s.Func("string", "<str>", func(v string) error { f.Data, hasString = v, true; return nil })
		s.NotYet("gen_id")
	})
	switch {
	case err != nil:
		return err
	case f.Name == "":
		return errors.New("parameter 'name' is missing")
	case len(f.Name) > 55:
		// The directory entry has 56 bytes with the final NUL.
		return fmt.Errorf("name is too long (%d characters, at most 55)", len(f.Name))
	case (f.File != "") == hasString:
		return errors.New("exactly one of 'file' and 'string' is needed")
	}
	if !strings.HasPrefix(f.Name, "opt/") {
		p.note("-fw_cfg: externally given items should be named \"opt/...\"")
	}
	p.cfg.Firmware.Files = append(p.cfg.Firmware.Files, f)
	return nil
}

func setNoDefaults(p *parser, _ string) error {
	p.noDefaults, p.cfg.Run.NoDefaults = true, true
	return nil
}

func setBalloon(p *parser, arg string) error {
	if arg != "none" {
		return errors.New("is not supported yet")
	}
	return nil
}

func setSandbox(p *parser, arg string) error {
	if l, _ := prop.Parse(arg, "enable"); len(l) > 0 && l[0].Value == "on" {
		p.note("-sandbox is accepted and has no effect yet")
	}
	return nil
}

func setOvercommit(p *parser, arg string) error {
	if strings.Contains(arg, "=on") {
		p.note("-overcommit and -realtime are accepted and have no effect")
	}
	return nil
}

func setEscape(p *parser, arg string) error {
	n, err := strconv.ParseUint(arg, 0, 8)
	if err != nil {
		return fmt.Errorf("'%s' is not the number of a character", arg)
	}
	p.cfg.Run.Escape = byte(n)
	return nil
}

func setVGA(p *parser, arg string) error {
	if prop.IsHelp(arg) {
		return helpAsked{func(w io.Writer) { listHelp(w, "", catalog.VGAs()) }}
	}
	v, ok := catalog.Find(catalog.VGAs(), arg)
	switch {
	case !ok:
		return fmt.Errorf("unknown vga type '%s'%s; -vga help lists them", arg, prop.DidYouMean(arg, catalog.Names(catalog.VGAs())))
	case !v.Built:
		return fmt.Errorf("the display adapter '%s' is not supported yet; use -vga std", arg)
	}
	p.vga, p.vgaOption = arg, p.option
	return nil
}
