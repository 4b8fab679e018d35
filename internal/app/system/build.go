package system

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"rhea/internal/accel/tcg"
	"rhea/internal/block"
	"rhea/internal/block/overlay"
	"rhea/internal/board/pc"
	"rhea/internal/dev/input/vmmouse"
	"rhea/internal/dev/intc/lapic"
	"rhea/internal/firmware/load"
	"rhea/internal/guest"
	"rhea/internal/guest/x86"
	"rhea/internal/trace"
	"rhea/internal/vm"
)

// machine is a machine that is built from a Config, with what has to be
// closed after it.
type machine struct {
	env   Env
	cfg   *Config
	log   *trace.Log
	vm    *vm.Machine
	cpu   *x86.CPU
	vcpu  *tcg.VCPU
	pc    *pc.Machine
	chars map[string]*char
	files []io.Closer
	perf  *perfMap // of -perfmap; nil = none
	// media are what is in the drives. The machine's lock keeps them.
	media   map[*Drive]*medium
	nets    nets
	screens screens
	sounds  sounds
	// interrupted is closed by the first signal that ends the process.
	interrupted chan struct{}
}

// run builds the machine and runs it to its end.
func run(env Env, cfg *Config) (int, error) {
	m := &machine{env: env, cfg: cfg, chars: map[string]*char{}, media: map[*Drive]*medium{}, interrupted: make(chan struct{})}
	defer m.close()
	// Most of the heap is translated code, which lives long: to let garbage
	// grow to its size would double the process for nothing.
	debug.SetGCPercent(25)
	if err := m.openLog(); err != nil {
		return 1, err
	}
	// From here on signals end the machine in good order: the terminal is in
	// raw mode soon.
	defer m.catchSignals()()
	if err := m.build(); err != nil {
		return 1, err
	}
	if err := m.control(); err != nil {
		return 1, err
	}
	m.vm.Do(m.pc.Settle)
	if !cfg.Run.Paused {
		if err := m.vm.Cont(); err != nil {
			return 1, err
		}
	}
	return m.vm.Run()
}

// catchSignals makes signals quit the machine; the second one ends the
// process at once.
func (m *machine) catchSignals() (stop func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			select {
			case <-done:
				return
			case s := <-c:
				if !first {
					m.crash()
					os.Exit(1)
				}
				fmt.Fprintf(m.env.Stderr, "%s: terminating on signal: %v\n", m.env.Program, s)
				close(m.interrupted)
				m.vm.Quit(0)
			}
		}
	}()
	return func() {
		signal.Stop(c)
		close(done)
	}
}

// close closes what build has opened, last first.
func (m *machine) close() {
	m.endCaptures()
	for _, md := range m.inserted() {
		md.close()
	}
	for i := len(m.files) - 1; i >= 0; i-- {
		m.files[i].Close()
	}
}

func (m *machine) closeLater(c io.Closer) {
	if c != nil {
		m.files = append(m.files, c)
	}
}

func (m *machine) build() error {
	for _, step := range []func() error{m.writePID, m.openChardevs, m.openNets, m.buildPC, m.openScreens} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) openLog() error {
	l := m.cfg.Log
	w := m.env.Stderr
	if l.File != "" {
		f, err := os.Create(l.File)
		if err != nil {
			return &optError{"-D", fmt.Errorf("could not open '%s': %w", l.File, reason(err))}
		}
		m.closeLater(f)
		w = f
	}
	m.log = trace.New(w, l.Items)
	m.vm = vm.New(vm.Config{Log: m.log, NoReboot: m.cfg.Run.NoReboot, NoShutdown: m.cfg.Run.NoShutdown, Panic: panicActions[m.cfg.Run.Panic], Crash: m.crash})
	return nil
}

// panicActions are the values of -action panic=.
var panicActions = map[string]vm.PanicAction{"shutdown": vm.PanicShutdown, "exit-failure": vm.PanicExit, "pause": vm.PanicPause, "none": vm.PanicIgnore}

func (m *machine) writePID() error {
	name := m.cfg.Run.PIDFile
	if name == "" {
		return nil
	}
	if err := os.WriteFile(name, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
		return &optError{"-pidfile", fmt.Errorf("could not write '%s': %w", name, reason(err))}
	}
	m.closeLater(closeFunc(func() error { return os.Remove(name) }))
	return nil
}

type closeFunc func() error

func (f closeFunc) Close() error { return f() }

// buildPC wires the board, the processor and what runs it.
func (m *machine) buildPC() error {
	c := m.cfg
	model, err := parseModel(c.Target, c.CPU.Model)
	if err != nil {
		return &optError{"-cpu", err}
	}
	env := m.vm.Env()
	lock := m.vm.Locker()
	m.cpu = x86.New(x86.Config{
		Model: model, Clock: env.Clock, Log: m.log,
		SMM: func(active bool) {
			lock.Lock()
			defer lock.Unlock()
			m.pc.SMIACT(active)
		},
		FERR: func(level bool) {
			lock.Lock()
			defer lock.Unlock()
			m.pc.FERR(level)
		},
		Backdoor: func(r *x86.BackdoorRegs) bool {
			lock.Lock()
			defer lock.Unlock()
			v := vmmouse.Regs(*r)
			ok := m.pc.VMMouse != nil && m.pc.VMMouse.Call(&v)
			*r = x86.BackdoorRegs(v)
			return ok
		},
	})
	b, err := m.board(model)
	if err != nil {
		return err
	}
	if m.pc, err = pc.New(env, b); err != nil {
		var k *pc.KernelError
		if errors.As(err, &k) {
			return &optError{"-kernel " + c.Kernel.File, k.Err}
		}
		return err
	}
	if m.pc.APIC != nil {
		m.cpu.SetAPIC(lockedAPIC{lock, m.pc.APIC})
	}
	engine := m.engine()
	perf, err := m.openPerfMap(engine)
	if err != nil {
		return err
	}
	m.vcpu, err = tcg.New(tcg.Config{
		PerfMap: perf, Lock: lock, IO: m.pc.IO, Log: m.log, CacheSize: int(min(c.Accel.TBSize, 1<<40)), Engine: engine,
		Disassemble: func(k guest.Key, code []byte) (string, int) {
			return x86.Disassemble(code, k.PC, x86.CodeSize(k))
		},
	}).NewCPU(m.cpu, m.pc.CPUMemory)
	if err != nil {
		return err
	}
	m.closeLater(m.vcpu)
	m.pc.OnClean(m.vcpu.Protect)
	m.vm.Add(m.pc)
	m.vm.Add(resetPin{m.cpu})
	m.vm.AddVCPU(m.vcpu)
	m.vm.OnPowerDown(func() { m.pc.PowerButton() })
	return nil
}

// engine is what executes the guest's code.
func (m *machine) engine() tcg.Engine {
	switch {
	case m.cfg.Accel.Name == "interp":
		return tcg.Interpreter
	case !tcg.Available():
		fmt.Fprintf(m.env.Stderr, "%s: note: -accel tcg: there is no translator for this host yet; using interp\n", m.env.Program)
		return tcg.Interpreter
	}
	// A processor in translated code keeps its P: the devices' goroutines
	// want as many as there are CPUs besides.
	runtime.GOMAXPROCS(runtime.NumCPU() + 1)
	return tcg.Translator
}

// openPerfMap opens the file of -perfmap; nil = there is none.
func (m *machine) openPerfMap(e tcg.Engine) (io.Writer, error) {
	if !m.cfg.Log.PerfMap {
		return nil, nil
	}
	if e == tcg.Interpreter {
		fmt.Fprintf(m.env.Stderr, "%s: note: -perfmap: the interpreter makes no machine code\n", m.env.Program)
		return nil, nil
	}
	p, err := newPerfMap()
	if err != nil {
		return nil, &optError{"-perfmap", err}
	}
	m.perf = p
	m.closeLater(p)
	return p, nil
}

// resetPin resets the processor with the machine. It does so on its own
// goroutine, for its outputs (SMIACT#, FERR#) take the machine's lock.
type resetPin struct{ cpu *x86.CPU }

func (r resetPin) Reset() { r.cpu.RESET() }

// parseModel makes a model of -cpu's argument.
func parseModel(target, arg string) (*x86.Model, error) {
	if target == "x86_64" {
		return x86.ParseModel64(arg)
	}
	return x86.ParseModel(arg)
}

// lockedCPU is the processor as the board sees it: the board's parts answer its
// INTA cycles under the machine's lock.
type lockedCPU struct {
	*x86.CPU
	lock sync.Locker
}

func (l lockedCPU) SetIntAck(ack func() int) {
	l.CPU.SetIntAck(func() int {
		l.lock.Lock()
		defer l.lock.Unlock()
		return ack()
	})
}

// lockedAPIC is the local APIC as the processor core's goroutine sees it.
type lockedAPIC struct {
	lock sync.Locker
	apic *lapic.APIC
}

func (l lockedAPIC) BaseMSR() uint64 {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.apic.BaseMSR()
}

func (l lockedAPIC) SetBaseMSR(v uint64) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.apic.SetBaseMSR(v)
}

func (l lockedAPIC) ID() uint8 {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.apic.ID()
}

func (l lockedAPIC) TPR() uint8 {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.apic.TPR()
}

func (l lockedAPIC) SetTPR(v uint8) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.apic.SetTPR(v)
}

func (l lockedAPIC) ReadMSR(n uint32) (uint64, bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.apic.ReadMSR(n)
}

func (l lockedAPIC) WriteMSR(n uint32, v uint64) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.apic.WriteMSR(n, v)
}

// crash puts the terminal in order when the process is about to die.
func (m *machine) crash() {
	if m.perf != nil {
		m.perf.Flush()
	}
	for _, ch := range m.chars {
		if r, ok := ch.port.(interface{ Restore() }); ok {
			r.Restore()
		}
	}
}

// board is the board's configuration.
func (m *machine) board(model *x86.Model) (pc.Config, error) {
	c := m.cfg
	b := pc.Config{
		CPU: lockedCPU{m.cpu, m.vm.Locker()}, RAM: c.Memory, NoACPI: !c.Machine.ACPI, NoGraphic: !c.Machine.Graphics, NoVMPort: !c.Machine.VMPort,
		UUID: c.UUID, SMBIOS: c.SMBIOS, HasSMM: true, HasAPIC: model.Has("apic"), HasX2APIC: model.Has("x2apic"), PhysBits: model.PhysBits(),
		Boot: pc.Boot{Order: c.Boot.Order, Once: c.Boot.Once, Menu: c.Boot.Menu, Strict: c.Boot.Strict, Wait: max(c.Boot.SplashTime, 0),
			RebootAfter: c.Boot.RebootTimeout + 1, NoSignature: !c.Machine.FDBootChk},
		Now: m.now(), Drift: m.drift(), Slew: c.RTC.DriftFix == "slew",
		Files: map[string][]byte{},
	}
	if c.Machine.Type == "isapc" {
		b.Kind = pc.ISA
	}
	b.VRAM, b.LEDs = c.VGAMemory, m.keyboardLEDs
	switch c.VGA {
	case "none":
		b.VGA = pc.VGANone
	case "cirrus":
		b.VGA = pc.VGACirrus
	}
	for _, step := range []func(*pc.Config) error{m.firmware, m.kernel, m.drives, m.ports, m.addCards, m.sound} {
		if err := step(&b); err != nil {
			return b, err
		}
	}
	return b, nil
}

// now is the guest's time of day at its start.
func (m *machine) now() func() time.Time {
	r := m.cfg.RTC
	return func() time.Time {
		t := r.Base
		if t.IsZero() {
			t = time.Now()
			if r.Local {
				t = t.Local()
			} else {
				t = t.UTC()
			}
		}
		return t
	}
}

// drift is how far the time that -rtc clock= names is ahead of the machine's
// clock, which stands while the machine does; nil if it is that clock.
func (m *machine) drift() func() int64 {
	clock, start := m.vm.Env().Clock, time.Now()
	since := func() int64 { return int64(time.Since(start)) } // monotonic
	switch m.cfg.RTC.Clock {
	case "vm":
		return nil
	case "host":
		wall := start.Round(0) // follows whoever sets the host's clock
		since = func() int64 { return int64(time.Now().Round(0).Sub(wall)) }
	}
	return func() int64 { return since() - clock.Now() }
}

const maxFirmware = 16 << 20

// firmware finds and reads the BIOS, the VGA BIOS and further ROMs.
func (m *machine) firmware(b *pc.Config) error {
	f := m.cfg.Firmware
	search := load.Search{Dirs: f.Dirs}
	name, vga := f.BIOS, "vgabios-stdvga.bin"
	if name == "" {
		name = "bios-256k.bin"
		if b.Kind == pc.ISA {
			name = "bios.bin"
		}
	}
	if b.VGA == pc.VGACirrus {
		vga = "vgabios-cirrus.bin"
	}
	var err error
	// As QEMU does it, -bios first means a file, wherever it is.
	if st, serr := os.Stat(f.BIOS); serr == nil && !st.IsDir() {
		name = "./" + f.BIOS
		if filepath.IsAbs(f.BIOS) {
			name = f.BIOS
		}
	}
	b.BIOSName = filepath.Base(name)
	if b.BIOS, err = search.Read(name, maxFirmware); err != nil {
		return &optError{"-bios", err}
	}
	if len(b.BIOS) < 64<<10 || len(b.BIOS)%(64<<10) != 0 {
		return &optError{"-bios", fmt.Errorf("'%s' has %d bytes, but a PC's firmware a multiple of 64 KiB: is it truncated? (Debian's packages seabios and bochsbios have some)",
			strings.TrimPrefix(name, "./"), len(b.BIOS))}
	}
	if b.VGA != pc.VGANone {
		if b.Kind == pc.ISA {
			vga = "vgabios-isavga.bin"
		}
		b.VGABIOSName = vga
		if b.VGABIOS, err = search.Read(vga, maxFirmware); err != nil {
			return &optError{"-vga", err}
		}
	}
	for _, r := range f.ROMs {
		data, err := readFile("-option-rom", r.File, maxFirmware)
		if err != nil {
			return err
		}
		b.OptionROMs = append(b.OptionROMs, pc.OptionROM{Name: filepath.Base(r.File), Data: data, BootIndex: r.BootIndex + 1})
	}
	for _, e := range f.Files {
		data := []byte(e.Data)
		if e.File != "" {
			if data, err = readFile("-fw_cfg", e.File, 256<<20); err != nil {
				return err
			}
		}
		b.Files[e.Name] = data
	}
	return nil
}

func (m *machine) kernel(b *pc.Config) error {
	k := m.cfg.Kernel
	if k.File == "" {
		return nil
	}
	image, err := m.openFile("-kernel", k.File, 1<<30)
	if err != nil {
		return err
	}
	if err := checkKernel(k.File, image); err != nil {
		return &optError{"-kernel", err}
	}
	b.Kernel = &pc.Kernel{Image: image, Cmdline: k.Append}
	if k.Initrd != "" {
		if b.Kernel.Initrd, err = m.openFile("-initrd", k.Initrd, 4<<30); err != nil {
			return err
		}
	}
	return nil
}

// drives opens the images.
func (m *machine) drives(b *pc.Config) error {
	for i := range m.cfg.Drives {
		d := &m.cfg.Drives[i]
		if d.Interface == "none" {
			continue
		}
		if err := checkImage(d); err != nil {
			return err
		}
		md, err := m.image(d)
		if err != nil {
			return &optError{d.Option, err}
		}
		m.media[d] = md
		back := md.backend
		if d.Interface == "floppy" {
			b.Floppies[d.Unit] = &pc.Floppy{Type: floppyTypes[d.FloppyType], Backend: back, ReadOnly: d.ReadOnly, BootIndex: d.BootIndex + 1}
			continue
		}
		b.Drives[d.Bus*2+d.Unit] = &pc.Drive{
			Backend: back, CDROM: d.CDROM, Model: d.Model, Serial: d.Serial, Firmware: d.Version, WWN: d.WWN,
			Cylinders: d.Cyls, Heads: d.Heads, Sectors: d.Secs, Translation: d.Trans,
			NoWriteCache: d.Cache.Through, BootIndex: d.BootIndex + 1,
		}
	}
	return nil
}

// floppyTypes are the values of drive-type, as CMOS has them.
var floppyTypes = map[string]uint8{"": 0, "auto": 0, "120": 2, "144": 4, "288": 5}

// image opens a drive's image.
func (m *machine) image(d *Drive) (*medium, error) {
	if d.File == "" {
		return &medium{}, nil
	}
	img, format, err := openImage(d, d.ReadOnly || d.CDROM || d.Snapshot)
	if err != nil {
		return nil, err
	}
	if !d.Snapshot {
		return &medium{m.policy(d, img), img, nil, format}, nil
	}
	o, err := overlay.New(img, "")
	if err != nil {
		img.Close()
		return nil, fmt.Errorf("could not make a temporary file for the snapshot of '%s': %w", d.File, reason(err))
	}
	return &medium{m.policy(d, o), img, o, format}, nil
}

// policy has a drive's errors handled as its options say.
func (m *machine) policy(d *Drive, b block.Backend) block.Backend {
	action := func(name string) block.Action {
		a, ok := block.ParseAction(name)
		if !ok {
			panic("BUG: no action " + name)
		}
		return a
	}
	say := func(op block.Op, err error, what string) {
		fmt.Fprintf(m.env.Stderr, "%s: %s: %v of '%s' failed: %v: %s\n", m.env.Program, d.Option, op, d.File, reason(err), what)
	}
	var once sync.Once
	return block.NewPolicy(block.PolicyConfig{
		Backend: b, OnRead: action(d.RError), OnWrite: action(d.WError), NoFlush: d.Cache.NoFlush,
		Unmap: d.Discard.Unmap, DetectZeroes: d.Discard.Zeroes,
		Through: d.Cache.Through && d.Interface == "floppy", // others have a write cache to turn off
		Failed: func(op block.Op, err error) bool {
			say(op, err, "the machine is stopped, the monitor's 'cont' tries again")
			return m.vm.StopForIO()
		},
		Say: func(op block.Op, err error) { once.Do(func() { say(op, err, "ignored, as all that follow are") }) },
	})
}

// ports connects serial and parallel ports to their character devices.
func (m *machine) ports(b *pc.Config) error {
	c := m.cfg
	if len(c.Serials) > len(b.Serial) {
		return &optError{"-serial", fmt.Errorf("a PC has %d serial ports", len(b.Serial))}
	}
	if len(c.Parallels) > len(b.Parallel) {
		return &optError{"-parallel", fmt.Errorf("a PC has %d parallel ports", len(b.Parallel))}
	}
	for i, id := range c.Serials {
		if id != "" {
			b.Serial[i] = m.port(id)
		}
	}
	for i, id := range c.Parallels {
		if id != "" {
			b.Parallel[i] = m.port(id)
		}
	}
	if d := c.Debugcon; d != nil {
		b.Debugcon, b.DebugconPort, b.DebugconRead = m.port(d.Chardev), uint64(d.IOBase), d.ReadBack
	}
	if d := c.PVPanic; d != nil {
		b.PanicEvents, b.PanicAt, b.Panic = d.Events, uint64(d.IOPort), m.vm.GuestPanic
	}
	if d := c.DebugExit; d != nil {
		b.DebugExit, b.DebugExitAt, b.DebugExitSize = true, uint64(d.IOBase), uint64(d.IOSize)
	}
	return nil
}
