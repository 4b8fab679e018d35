package hmp

import (
	"fmt"
	"io"
	"os"
	"strings"
)

func infoVersion(c *call) error {
	c.printf("%s", c.m.c.Version)
	if c.m.c.Package != "" {
		c.printf(" (%s)", c.m.c.Package)
	}
	c.printf("\n")
	return nil
}

func infoStatus(c *call) error {
	if c.m.c.Status == nil {
		return errAbsent
	}
	c.printf("VM status: %s\n", c.m.c.Status())
	return nil
}

func infoName(c *call) error {
	if c.m.c.Name != "" {
		c.printf("%s\n", c.m.c.Name)
	}
	return nil
}

func infoUUID(c *call) error {
	u := c.m.c.UUID
	c.printf("%x-%x-%x-%x-%x\n", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	return nil
}

func infoCPUs(c *call) error {
	for i, cpu := range c.m.c.CPUs {
		mark, thread := ' ', os.Getpid()
		if i == c.m.cpu {
			mark = '*'
		}
		if t, ok := cpu.(Threader); ok {
			thread = t.ThreadID()
		}
		c.printf("%c CPU #%d: thread_id=%d\n", mark, i, thread)
	}
	return nil
}

func infoRegisters(c *call) error {
	first, last := c.m.cpu, c.m.cpu
	switch {
	case len(c.m.c.CPUs) == 0:
		return errAbsent
	case c.args.Has("-a"):
		first, last = 0, len(c.m.c.CPUs)-1
	case c.args.Has("vcpu"):
		n := c.args.Number("vcpu")
		if n < 0 || n >= int64(len(c.m.c.CPUs)) {
			c.printf("CPU#%d not available\n", n)
			return nil
		}
		first, last = int(n), int(n)
	}
	for i := first; i <= last; i++ {
		c.printf("\nCPU#%d\n", i)
		if err := c.m.c.CPUs[i].DumpRegisters(c.w); err != nil {
			return err
		}
	}
	return nil
}

func infoMem(c *call) error { return c.pages(PageDumper.DumpMem) }
func infoTLB(c *call) error { return c.pages(PageDumper.DumpTLB) }

func (c *call) pages(dump func(PageDumper, io.Writer) error) error {
	cpu := c.m.defaultCPU()
	d, ok := cpu.(PageDumper)
	if !ok {
		return errAbsent
	}
	var err error
	c.inspect(cpu, func() { err = dump(d, c.w) })
	return err
}

func infoMtree(c *call) error {
	if len(c.m.c.Spaces) == 0 {
		return errAbsent
	}
	for i, s := range c.m.c.Spaces {
		if c.args.Has("-f") {
			c.printf("FlatView #%d\n", i)
			s.Flat(c.w)
			c.printf("\n")
		} else {
			s.Tree(c.w, c.args.Has("-D"))
		}
	}
	return nil
}

func infoHistory(c *call) error {
	if c.s == nil {
		return nil
	}
	for i, line := range c.s.history() {
		c.printf("%d: '%s'\n", i, line)
	}
	return nil
}

func infoChardev(c *call) error {
	if c.m.c.Chardevs == nil {
		return errAbsent
	}
	for _, d := range c.m.c.Chardevs() {
		c.printf("%s: filename=%s\n", d.Label, d.Filename)
	}
	return nil
}

func infoBlock(c *call) error {
	if c.m.c.Blocks == nil {
		return errAbsent
	}
	shown := 0
	for _, b := range c.m.c.Blocks() {
		if c.args.Has("-n") {
			b.Name = b.Node
			if b.Node == "" || b.File == "" {
				continue
			}
			b.Node, b.Attached, b.Removable = "", "", false
		}
		if c.args.Has("device") && c.args.Text("device") != b.Name && c.args.Text("device") != b.Node {
			continue
		}
		if shown++; shown > 1 {
			c.printf("\n")
		}
		b.show(c)
		if c.args.Has("-v") && b.File != "" {
			b.image(c)
		}
	}
	if shown == 0 && c.args.Has("device") {
		return fmt.Errorf("Device '%s' not found", printable(c.args.Text("device")))
	}
	return nil
}

func (b *Block) show(c *call) {
	c.printf("%s", b.Name)
	if b.Node != "" && b.File != "" {
		c.printf(" (%s)", b.Node)
	}
	if b.File == "" {
		c.printf(": [not inserted]\n")
	} else {
		note := ""
		if b.ReadOnly {
			note = ", read-only"
		}
		c.printf(": %s (%s%s)\n", b.File, b.Format, note)
	}
	row := func(title, text string) { c.printf("    %-17s %s\n", title+":", text) }
	if b.Attached != "" {
		row("Attached to", b.Attached)
	}
	if b.Removable {
		lock, tray := "not locked", "closed"
		if b.Locked {
			lock = "locked"
		}
		if b.TrayOpen {
			tray = "open"
		}
		row("Removable device", lock+", tray "+tray)
	}
	if b.File != "" && b.Cache != "" {
		row("Cache mode", b.Cache)
	}
	if b.Backing != "" {
		row("Backing file", b.Backing)
	}
}

// infoLAPIC shows that of the default CPU if none is named.
func infoLAPIC(c *call) error {
	id := int64(c.m.cpu)
	if c.args.Has("apic-id") {
		id = c.args.Number("apic-id")
	}
	switch {
	case c.m.c.LAPIC == nil:
		return errAbsent
	case !c.m.c.LAPIC(c.w, id):
		c.printf("No local APIC\n")
	}
	return nil
}

// image is what -v adds: the image as qemu-img tells of it.
func (b *Block) image(c *call) {
	c.printf("\nImages:\nimage: %s\nfile format: %s\nvirtual size: %s (%d bytes)\ndisk size: %s\n",
		b.File, b.Format, inUnits(b.Size), b.Size, inUnits(b.Used))
}

// inUnits writes a size with three digits and its unit.
func inUnits(n int64) string {
	v, unit := float64(n), 0
	for ; v >= 1000 && unit < 6; unit++ {
		v /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %ciB", v, "KMGTPE"[unit-1])
}

func infoQtree(c *call) error {
	if c.m.c.Devices == nil {
		return errAbsent
	}
	c.buses(c.m.c.Devices(), 0)
	return nil
}

func (c *call) buses(list []Bus, indent int) {
	pad := strings.Repeat(" ", indent)
	for _, b := range list {
		c.printf("%sbus: %s\n%s  type %s\n", pad, b.Name, pad, b.Type)
		for _, d := range b.Devices {
			c.printf("%s  dev: %s, id \"%s\"\n", pad, d.Type, d.ID)
			for _, line := range d.Lines {
				c.printf("%s    %s\n", pad, line)
			}
			c.buses(d.Buses, indent+4)
		}
	}
}
