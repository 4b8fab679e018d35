package system

import (
	"errors"
	"os"

	"rhea/internal/prop"
)

// finish resolves what depends on several options, fills in the defaults and
// checks the whole.
func (p *parser) finish() error {
	c := p.cfg
	if p.nographic {
		c.Machine.Graphics = false
	}
	for _, step := range []func() error{
		p.finishMachine, p.finishCPU, p.finishBlockdevs, p.finishDrives, p.finishChars, p.finishVGA, p.finishDevices, p.finishNet, p.finishAudio, p.finishVNC,
		p.checkSharing, p.finishKernel, p.finishMemory,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if c.Display = p.display; c.Display == "" && (p.vncGiven || p.nographic || c.Web != nil || c.VGA == "none") {
		c.Display = "none"
	}
	if p.display == "" && os.Getenv("DISPLAY") == "" && !p.vncGiven && c.Web == nil && !p.nographic && c.VGA != "none" {
		p.note("nothing shows the screen: -vnc 127.0.0.1:0 does, -nographic gives a serial console")
	}
	return nil
}

func (p *parser) finishVGA() error {
	c := p.cfg
	switch {
	case p.vga != "":
		c.VGA = p.vga
	case p.noDefaults:
		c.VGA = "none"
	default:
		c.VGA = "std"
		for _, d := range p.devices {
			if d.Driver == "VGA" || d.Driver == "isa-vga" || d.Driver == "cirrus-vga" {
				c.VGA = "none" // finishDevices sets it
			}
		}
	}
	return nil
}

func (p *parser) finishKernel() error {
	k := p.cfg.Kernel
	switch {
	case k.File == "" && k.Initrd != "":
		return errors.New("-initrd: is only allowed with -kernel")
	case k.File == "" && k.Append != "":
		return errors.New("-append: is only allowed with -kernel")
	}
	return nil
}

func (p *parser) finishMemory() error {
	c := p.cfg
	if c.Machine.Type == "isapc" && c.Memory > 3584*prop.MiB {
		return errors.New("-m: an ISA PC has room for at most 3584M of memory")
	}
	return nil
}
