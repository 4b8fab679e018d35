package system

import (
	"fmt"
	"io"
	"os"
	"time"

	"rhea/internal/keys"
	"rhea/internal/monitor/hmp"
)

// control attaches the monitors to their character devices.
func (m *machine) control() error {
	if len(m.cfg.Monitors) == 0 {
		return nil
	}
	mon := hmp.New(m.monitor())
	for _, c := range m.cfg.Monitors {
		if p := m.port(c.Chardev); p != nil {
			if c.Default && (len(m.cfg.VNC) > 0 || m.cfg.Web != nil) {
				mon.AttachRemote(p)
			} else {
				mon.Attach(p)
			}
		}
	}
	return nil
}

// monitor binds the monitor to the machine.
func (m *machine) monitor() hmp.Config {
	b := m.pc
	c := hmp.Config{
		Machine: m.vm,
		Status:  func() string { return m.vm.State().Status() },
		Name:    m.cfg.Name, UUID: m.cfg.UUID, Package: "rhea " + Version,
		CPUs: []hmp.CPU{m.cpu}, Memory: b.CPUMemory, IO: b.IO,
		Spaces:   []hmp.Space{b.CPUMemory, b.Memory, b.IO},
		Keyboard: keyboard{m}, Pointer: m.screens.input, Screen: m.screens.screen,
		After: func(d time.Duration, f func()) {
			clock := m.vm.Env().Clock
			clock.NewTimer(f).Set(clock.Now() + int64(d))
		},
		Chardevs: m.chardevRows, Blocks: m.blockRows, Devices: m.deviceTree,
		Log: m.log, LogFile: m.reopenLog, NMI: b.NMI, BootOrder: b.SetBootOrder,
		LAPIC: func(w io.Writer, id int64) bool {
			if b.APIC == nil || id != int64(b.APIC.ID()) {
				return false
			}
			b.APIC.Dump(w)
			return true
		},
		AddressBits: m.cpu.AddressBits(),
		Commands: map[string]func(io.Writer, hmp.Args) error{
			"eject": m.eject, "change": m.change, "set_password": m.setPassword, "mouse_set": m.chooseMouse,
			"wavcapture": m.wavCapture, "stopcapture": m.stopCapture,
			"chardev-send-break": m.sendBreak, "ringbuf_read": m.ringbufRead, "ringbuf_write": m.ringbufWrite,
			"hostfwd_add": m.hostfwdAdd, "hostfwd_remove": m.hostfwdRemove, "set_link": m.setLink,
		},
		Info: map[string]func(io.Writer){
			"vnc": m.vncInfo, "mice": m.mouseInfo, "capture": m.captureInfo,
			"pic": func(w io.Writer) {
				for chip, name := range []string{"pic0", "pic1"} {
					irr, imr, isr, elcr := b.PIC.Registers(chip)
					fmt.Fprintf(w, "%s: irr=%02x imr=%02x isr=%02x elcr=%02x\n", name, irr, imr, isr, elcr)
				}
			},
			"irq": func(w io.Writer) {
				counts(w, "isa-i8259", b.PIC.Counts())
				if b.IOAPIC != nil {
					counts(w, "ioapic", b.IOAPIC.Counts())
				}
			},
			"roms": func(w io.Writer) {
				for _, r := range b.ROMs() {
					if r.File != "" {
						fmt.Fprintf(w, "fw=%s size=0x%06x name=\"%s\"\n", r.File, r.Size, r.Name)
					} else {
						fmt.Fprintf(w, "addr=%016x size=0x%06x mem=rom name=\"%s\"\n", r.Addr, r.Size, r.Name)
					}
				}
			},
			"network": m.infoNetwork, "usernet": m.infoUsernet,
			"jit": func(w io.Writer) {
				m.vcpu.Report(w)
			},
		},
	}
	if b.PCI != nil {
		c.Info["pci"] = b.PCI.Info
	}
	return c
}

// counts writes the interrupts that there were.
func counts(w io.Writer, chip string, n []uint64) {
	fmt.Fprintf(w, "IRQ statistics for %s:\n", chip)
	for i, n := range n {
		if n > 0 {
			fmt.Fprintf(w, "%2d: %d\n", i, n)
		}
	}
}

// keyboard is the keyboard as the monitor presses it.
type keyboard struct{ m *machine }

func (k keyboard) Key(code keys.Code, down bool) { k.m.pc.Keyboard.Key(code, down) }

func (m *machine) chardevRows() []hmp.Chardev {
	var rows []hmp.Chardev
	for _, r := range m.charInfo() {
		rows = append(rows, hmp.Chardev(r))
	}
	return rows
}

// deviceTree lists the board's parts.
func (m *machine) deviceTree() []hmp.Bus {
	bus := hmp.Bus{Name: "main-system-bus", Type: "System"}
	for _, p := range m.pc.Parts() {
		bus.Devices = append(bus.Devices, hmp.Device{Type: p.Path})
	}
	return []hmp.Bus{bus}
}

// reopenLog is the monitor's "logfile".
func (m *machine) reopenLog(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("could not open '%s': %w", name, reason(err))
	}
	m.log.SetOutput(f)
	m.closeLater(f)
	return nil
}
