package pc

import (
	"rhea/internal/dev/intc/ioapic"
	"rhea/internal/dev/intc/lapic"
	"rhea/internal/irq"
)

const (
	lapicBase  = 0xfee00000
	ioapicBase = 0xfec00000
)

// apics adds the local APIC of the processor and the I/O APIC beside the
// 8259s (MultiProcessor Specification 1.4, 3.6.2.2: virtual wire mode through
// the local APIC, which firmware need not set up). Each ISA line goes to both;
// IRQ 0 is pin 2 of the I/O APIC, for pin 0 is the 8259s' own output.
func (m *Machine) apics() {
	bus := lapic.NewBus()
	cpu := m.c.CPU
	m.APIC = lapic.New(lapic.Config{
		Env: m.env, Bus: bus, BSP: true, VirtualWire: true, X2APIC: m.c.HasX2APIC, PhysBits: m.c.PhysBits,
		INTR: cpu.SetINTR, NMI: cpu.SetNMI, SMI: cpu.SetSMI,
		INIT:   func(l bool) { m.edgeINIT.set(l) },
		ExtINT: m.PIC.Acknowledge,
		OnBase: func(base uint64, on bool) {
			m.lapicRegs.Move(base)
			m.lapicRegs.Enable(on)
		},
	})
	m.lapicRegs = m.APIC.Region()
	m.ISA.Add(lapicBase, m.lapicRegs, 2)
	m.picINT = m.APIC.LINT(0)
	cpu.SetIntAck(m.APIC.Acknowledge)
	m.add("cpu0/lapic", m.APIC)

	io := ioapic.New(ioapic.Config{Env: m.env, Bus: bus})
	m.ISA.Add(ioapicBase, io.Region(), 2)
	m.IOAPIC = io
	m.add("ioapic", io)
	for n := range m.lines {
		pin := n
		if n == 0 {
			pin = 2
		} else if n == 2 {
			continue
		}
		m.lines[n].out = irq.Split(m.PIC.Line(n), io.Line(pin))
	}
}

// latest is a wire that several sources drive one after the other: it has the
// level of the one that changed last, as port 92h and the 8042 share the A20
// gate in chipsets that emulate both.
type latest struct {
	out    irq.Line
	levels []bool
}

func (w *latest) input(level bool) irq.Line {
	n := len(w.levels)
	w.levels = append(w.levels, level)
	return func(l bool) {
		if w.levels[n] != l {
			w.levels[n] = l
			w.out.Set(l)
		}
	}
}
