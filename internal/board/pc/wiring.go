package pc

import (
	"errors"
	"fmt"

	"rhea/internal/bus/pci"
	"rhea/internal/dev/audio/pcspk"
	"rhea/internal/dev/char/parallel"
	"rhea/internal/dev/char/uart16550"
	"rhea/internal/dev/disk/fdc"
	"rhea/internal/dev/disk/ide"
	"rhea/internal/dev/disk/piixide"
	"rhea/internal/dev/display/cirrus"
	"rhea/internal/dev/display/vga"
	"rhea/internal/dev/dma/i8237"
	"rhea/internal/dev/input/i8042"
	"rhea/internal/dev/input/ps2"
	"rhea/internal/dev/input/vmmouse"
	"rhea/internal/dev/intc/i8259"
	"rhea/internal/dev/misc/debugcon"
	"rhea/internal/dev/misc/debugexit"
	"rhea/internal/dev/misc/piix4pm"
	"rhea/internal/dev/misc/port61"
	"rhea/internal/dev/misc/port92"
	"rhea/internal/dev/misc/pvpanic"
	"rhea/internal/dev/pci/i440fx"
	"rhea/internal/dev/pci/piix3"
	"rhea/internal/dev/timer/i8254"
	"rhea/internal/dev/timer/mc146818"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// wired is an interrupt line that several devices drive: high while any of
// them does.
type wired struct {
	out    irq.Line
	levels []bool
}

func (w *wired) input() irq.Line {
	n := len(w.levels)
	w.levels = append(w.levels, false)
	return func(level bool) {
		w.levels[n] = level
		any := false
		for _, l := range w.levels {
			any = any || l
		}
		w.out.Set(any)
	}
}

// IRQ returns a new input of ISA interrupt n, OR-ed with the others.
func (m *Machine) IRQ(n int) irq.Line { return m.lines[n].input() }

// pciMemory makes the memory of a 440FX board: RAM with the chipset's
// windows, and below it all that is not RAM.
func (m *Machine) pciMemory() {
	m.ISA = mem.NewContainer("pci", 1<<32)
	m.PCI = pci.New(pci.Config{Memory: m.ISA, IO: m.Ports, Log: m.env.Log})
	m.Host = i440fx.New(i440fx.Config{Env: m.env, RAM: m.RAM, PCI: m.ISA, Bus: m.PCI})
	m.Memory = mem.NewSpace("memory", m.Host.System, m.env.Log)
	m.SMM = mem.NewSpace("smm", m.Host.SMM, m.env.Log)
	m.CPUMemory = mem.NewSpace("cpu-memory", m.Host.CPU, m.env.Log)
	m.PCI.SetDMA(m.Memory)
	m.Ports.Add(0xcf8, m.Host.Region())
	m.add("pci/00.0/i440fx", m.Host)

	rom := mem.NewROM("bios", uint64(len(m.c.BIOS)), m.c.BIOS)
	m.ISA.Add(1<<32-uint64(len(m.c.BIOS)), rom, 1)
	low := min(uint64(len(m.c.BIOS)), 128<<10)
	m.ISA.Add(1<<20-low, mem.NewAlias("isa-bios", rom, uint64(len(m.c.BIOS))-low, low), 1)
}

// isaMemory makes the memory of an AT: the adapter area is not RAM of the
// board's. What firmware may write there it can: there is no chipset that
// could shadow it.
func (m *Machine) isaMemory() {
	root := mem.NewContainer("system", 0)
	m.ISA = root
	m.Memory = mem.NewSpace("memory", root, m.env.Log)
	m.SMM, m.CPUMemory = m.Memory, m.Memory
	root.Add(0, mem.NewAlias("ram-base", m.RAM, 0, min(m.RAM.Size(), 0xa0000)))
	if m.RAM.Size() > 1<<20 {
		root.Add(1<<20, mem.NewAlias("ram-extended", m.RAM, 1<<20, m.RAM.Size()-1<<20))
	}
	size := uint64(len(m.c.BIOS))
	bios := mem.NewRAM("bios", size)
	root.Add(1<<32-size, bios, 1)
	low := min(size, 128<<10)
	root.Add(1<<20-low, mem.NewAlias("isa-bios", bios, size-low, low), 1)
	m.roms = mem.NewRAM("pc.rom", 0x20000)
	root.Add(0xc0000, m.roms)
	m.low = append(m.low, shadow{bios, 0, m.c.BIOS})
}

// legacy wires the parts that every PC has.
func (m *Machine) legacy() {
	cpu, env, io := m.c.CPU, m.env, m.Ports

	m.picINT = cpu.SetINTR
	m.PIC = i8259.New(i8259.Config{Env: env, INT: func(l bool) { m.picINT(l) }})
	cpu.SetIntAck(m.PIC.Acknowledge)
	master, slave, elcr := m.PIC.Regions()
	io.Add(0x20, master)
	io.Add(0xa0, slave)
	io.Add(0x4d0, elcr)
	for n := range m.lines {
		m.lines[n].out = m.PIC.Line(n)
	}
	m.add("isa/i8259", m.PIC)

	m.PIT = i8254.New(i8254.Config{Env: env, Out: [3]irq.Line{m.IRQ(0)}, Watch2: func(to int64) { m.Speaker.Changes(to) }})
	io.Add(0x40, m.PIT.Region())
	m.add("isa/i8254", m.PIT)

	m.DMA = i8237.New(i8237.Config{Env: env, Memory: m.Memory})
	low, word, pages, high := m.DMA.Regions()
	io.Add(0x00, low)
	io.Add(0xc0, word)
	io.Add(0x80, pages)
	io.Add(0x480, high)
	m.add("isa/i8237", m.DMA)

	nmi := &nmiGate{out: cpu.SetNMI}
	m.RTC = mc146818.New(mc146818.Config{Env: env, IRQ: m.IRQ(8), NMI: nmi.enable, Now: m.c.Now, Drift: m.c.Drift, Slew: m.c.Slew})
	io.Add(0x70, m.RTC.Region())
	m.add("isa/mc146818", m.RTC)

	m.Speaker = pcspk.New(pcspk.Config{Env: env, Audio: m.c.SpeakerAudio, Hz: i8254.Hz, Now: m.PIT.Now2, Level: m.PIT.Level2})
	p61 := port61.New(port61.Config{Env: env, Gate2: m.PIT.Gate(2), Out2: func() bool { return m.PIT.Out(2) }, Speaker: m.Speaker.Gate, NMI: nmi.request})
	io.Add(0x61, p61.Region())
	m.add("isa/port61", p61)
	m.add("isa/pcspk", m.Speaker)

	// The A20 gate follows the port that was written last.
	a20 := &latest{out: cpu.SetA20}
	rc := &edge{do: func() { m.resetPin("8042") }}
	m.edgeINIT = &edge{do: cpu.INIT}
	m.Keyboard = ps2.NewKeyboard(ps2.KeyboardConfig{Env: env, LEDs: m.c.LEDs})
	m.Mouse = ps2.NewMouse(env)
	m.KBC = i8042.New(i8042.Config{Env: env, Keyboard: m.Keyboard, Aux: m.Mouse, IRQ1: m.IRQ(1), IRQ12: m.IRQ(12), A20: a20.input(true), Reset: rc.set})
	data, command := m.KBC.Ports()
	io.Add(0x60, data)
	io.Add(0x64, command)
	m.add("isa/i8042", m.KBC)
	m.add("isa/i8042/keyboard", m.Keyboard)
	m.add("isa/i8042/mouse", m.Mouse)
	if !m.c.NoVMPort {
		m.VMMouse = vmmouse.New(vmmouse.Config{Env: env, RAM: m.c.RAM, Nudge: func() { m.Mouse.Move(1, 0, 0) }})
		m.add("isa/vmmouse", m.VMMouse)
	}

	p92 := port92.New(port92.Config{Env: env, A20: a20.input(false), Reset: func(l bool) {
		if l {
			m.resetPin("port 92h")
		}
	}})
	io.Add(0x92, p92.Region())
	m.add("isa/port92", p92)

	m.fpu = &fpuPort{irq: m.IRQ(13)}
	io.Add(0xf0, mem.NewIO("fpu", 2, m.fpu).Sizes(1, 1))
	m.add("isa/fpu", m.fpu)

	m.floppy()
	m.ports()
}

// floppy wires the floppy controller, which is there without drives, too. Of
// its ports 3F6h is the IDE controller's.
func (m *Machine) floppy() {
	ch := m.DMA.Channel(2)
	c := fdc.Config{Env: m.env, IRQ: m.IRQ(6), DREQ: ch.Request, Sync: m.c.Sync}
	for i, d := range m.c.Floppies {
		if d != nil {
			c.Drives[i] = &fdc.DriveConfig{Type: d.Type, Backend: d.Backend, ReadOnly: d.ReadOnly}
		}
	}
	m.FDC = fdc.New(c)
	ch.Attach(m.FDC)
	regs, dir := m.FDC.Regions()
	m.Ports.Add(0x3f0, regs)
	m.Ports.Add(0x3f7, dir)
	m.add("isa/fdc", m.FDC)
}

// resetPin is what the 8042 and port 92h drive. It resets the whole machine,
// as other PC emulators have it; RAM and CMOS stay, so that programs of the
// 286 come back to real mode through the BIOS's shutdown code (CMOS 0Fh). To
// reset the processor alone would leave it to each BIOS what a reboot is.
func (m *Machine) resetPin(by string) {
	if m.env.Power != nil {
		m.env.Power.RequestReset(by)
	}
}

// ports wires serial and parallel ports and the debug devices.
func (m *Machine) ports() {
	for i, p := range m.c.Serial {
		if p == nil {
			continue
		}
		u := uart16550.New(uart16550.Config{Env: m.env, Port: p, IRQ: m.IRQ([]int{4, 3, 4, 3}[i]), OUT2Gate: true})
		m.Ports.Add([]uint64{0x3f8, 0x2f8, 0x3e8, 0x2e8}[i], u.Region())
		m.Serial[i] = u
		m.add(fmt.Sprintf("isa/serial%d", i), u)
	}
	for i, p := range m.c.Parallel {
		if p == nil {
			continue
		}
		l := parallel.New(parallel.Config{Env: m.env, Port: p, IRQ: m.IRQ([]int{7, 5, 7}[i])})
		m.Ports.Add([]uint64{0x378, 0x278, 0x3bc}[i], l.Region())
		m.add(fmt.Sprintf("isa/parallel%d", i), l)
	}
	if m.c.Debugcon != nil {
		at := m.c.DebugconPort
		if at == 0 {
			at = 0xe9
		}
		d := debugcon.New(debugcon.Config{Env: m.env, Port: m.c.Debugcon, Readback: m.c.DebugconRead})
		m.Ports.Add(at, d.Region())
		m.add("isa/debugcon", d)
	}
	if m.c.Panic != nil {
		d := pvpanic.New(pvpanic.Config{Env: m.env, Events: m.c.PanicEvents, Panic: m.c.Panic})
		m.Ports.Add(m.c.PanicAt, d.Region())
		m.add("isa/pvpanic", d)
	}
	if m.c.DebugExit {
		at := m.c.DebugExitAt
		if at == 0 {
			at = 0x501
		}
		d := debugexit.New(debugexit.Config{Env: m.env, Size: m.c.DebugExitSize})
		m.Ports.Add(at, d.Region())
		m.add("isa/debugexit", d)
	}
}

func (m *Machine) drive(i int) *ide.DriveConfig {
	d := m.c.Drives[i]
	if d == nil {
		return nil
	}
	c := &ide.DriveConfig{Backend: d.Backend, CDROM: d.CDROM, Model: d.Model, Serial: d.Serial, WWN: d.WWN, Firmware: d.Firmware, NoWriteCache: d.NoWriteCache,
		Cylinders: d.Cylinders, Heads: d.Heads, Sectors: d.Sectors}
	if c.Serial == "" {
		c.Serial = fmt.Sprintf("QM%05d", i+1)
	}
	return c
}

// pciParts wires the PIIX3 and the power management beside it.
func (m *Machine) pciParts() {
	c := piix3.Config{Env: m.env, Bus: m.PCI}
	for n := range c.ISA {
		c.ISA[n] = m.IRQ(n)
	}
	bridge := piix3.New(c)
	m.Host.SetCF9(bridge)
	m.add("pci/01.0/piix3", bridge)

	k := piixide.New(piixide.Config{Env: m.env, Bus: m.PCI, Device: 1, Sync: m.c.Sync, Decode: true,
		Drives: [4]*ide.DriveConfig{m.drive(0), m.drive(1), m.drive(2), m.drive(3)},
		IRQ:    [2]irq.Line{m.IRQ(14), m.IRQ(15)}})
	k.MapLegacy(m.Ports)
	m.IDE = [2]*ide.Channel{k.Channel(0), k.Channel(1)}
	m.add("pci/01.1/piix3-ide", k)

	m.PM = piix4pm.New(piix4pm.Config{Env: m.env, Bus: m.PCI, Device: 1, SCI: m.IRQ(9), SMI: m.c.CPU.SetSMI, HasSMM: m.c.HasSMM}, m.Ports)
	m.Ports.Add(0xb2, m.PM.APMRegion())
	m.add("pci/01.3/piix4-pm", m.PM)
}

// isaParts wires the IDE card of an isapc.
func (m *Machine) isaParts() {
	for i, base := range []uint64{0x1f0, 0x170} {
		ch := ide.New(ide.Config{Env: m.env, IRQ: m.IRQ(14 + i), Sync: m.c.Sync,
			Drives: [2]*ide.DriveConfig{m.drive(2 * i), m.drive(2*i + 1)}})
		m.Ports.Add(base, ch.CommandRegion())
		m.Ports.Add(base+0x206, ch.ControlRegion())
		m.IDE[i] = ch
		m.add(fmt.Sprintf("isa/ide%d", i), ch)
	}
}

// video wires the display adapter: on the PCI bus, where the firmware finds
// its ROM, or on the ISA bus with the ROM at C0000h.
func (m *Machine) video() error {
	if m.c.VGA == VGANone {
		return nil
	}
	if n := m.c.VRAM; n < 256<<10 || n > 512<<20 || n&(n-1) != 0 {
		return fmt.Errorf("%d bytes of video memory: it must be a power of two from 256 KiB to 512 MiB", n)
	}
	if len(m.c.VGABIOS) > 64<<10 {
		return fmt.Errorf("a video BIOS of %d bytes: at most 64 KiB can be", len(m.c.VGABIOS))
	}
	if m.c.VGA == VGACirrus {
		return m.cirrus()
	}
	c := vga.Config{Env: m.env, VRAM: m.c.VRAM, OnClean: m.clean}
	if m.c.Kind == ISA {
		v := vga.New(c)
		m.adapterROM("vgabios", 0xc0000, 0, m.c.VGABIOS)
		m.ISA.Add(vgaLFB, v.VRAM, 1)
		m.ISA.Add(0xa0000, v.Window(), 1)
		m.VGA = v
		m.add("isa/vga", v)
	} else {
		c.Bus, c.Device, c.ROM = m.PCI, 2, m.c.VGABIOS
		v := vga.New(c)
		// BIOSes that know no PCI ROMs find it where an ISA card has it.
		if size := (uint64(len(m.c.VGABIOS)) + 2047) &^ 2047; size > 0 {
			m.adapterROM("vgabios", 0xc0000, size, m.c.VGABIOS)
		}
		m.ISA.Add(0xa0000, v.Window(), 1)
		m.VGA = v
		m.add("pci/02.0/vga", v)
	}
	m.VGA.MapPorts(m.Ports)
	m.Display = m.VGA
	return nil
}

// cirrus wires a CL-GD5446.
func (m *Machine) cirrus() error {
	if m.PCI == nil {
		return errors.New("an isapc has no PCI bus for a Cirrus display adapter; use -vga std")
	}
	k := cirrus.New(cirrus.Config{Env: m.env, Bus: m.PCI, Device: 2, ROM: m.c.VGABIOS, OnClean: m.clean})
	if size := (uint64(len(m.c.VGABIOS)) + 2047) &^ 2047; size > 0 {
		m.adapterROM("vgabios", 0xc0000, size, m.c.VGABIOS)
	}
	m.VGA = k.VGA()
	m.ISA.Add(0xa0000, m.VGA.Window(), 1)
	m.VGA.MapPorts(m.Ports)
	m.Display = k
	m.add("pci/02.0/cirrus-vga", k)
	return nil
}

// vgaLFB is where an ISA card with DISPI has its linear memory.
const vgaLFB = 0xe0000000

// nmiGate is the AND of what asks for NMIs and the mask of port 70h.
type nmiGate struct {
	out     irq.Line
	req, on bool
}

func (g *nmiGate) request(l bool) { g.req = l; g.out.Set(g.req && g.on) }
func (g *nmiGate) enable(l bool)  { g.on = l; g.out.Set(g.req && g.on) }

// edge does something when a line rises.
type edge struct {
	level bool
	do    func()
}

func (e *edge) set(l bool) {
	if l && !e.level {
		e.do()
	}
	e.level = l
}

// fpuPort is the AT's way of reporting x87 exceptions: FERR# raises IRQ 13,
// a write to port F0h ends it.
type fpuPort struct {
	irq     irq.Line
	pending bool
	level   bool
}

func (f *fpuPort) ferr(level bool) {
	if level && !f.level {
		f.pending = true
	}
	f.level = level
	f.Settle()
}

// Settle implements dev.Settler.
func (f *fpuPort) Settle() { f.irq.Set(f.pending) }

// Reset implements dev.Device.
func (f *fpuPort) Reset() { f.pending, f.level = false, false }

// State implements dev.Device.
func (f *fpuPort) State(s *snap.Section) {
	s.Version(1)
	s.Bool("pending", &f.pending)
	s.Bool("ferr", &f.level)
}

// Read implements mem.MMIO.
func (f *fpuPort) Read(uint64, int) uint64 { return 0xff }

// Write implements mem.MMIO.
func (f *fpuPort) Write(uint64, int, uint64) {
	f.pending = false
	f.Settle()
}
