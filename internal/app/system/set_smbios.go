package system

import (
	"errors"
	"fmt"

	"rhea/internal/prop"
)

// maxOEMStrings is what the count of SMBIOS type 11 can say.
const maxOEMStrings = 255

// setSMBIOS is -smbios: fields of the tables of type 0, 1, 3 and 11.
func setSMBIOS(p *parser, arg string) error {
	l, err := prop.Parse(arg, "")
	if err != nil {
		return err
	}
	if _, ok := l.Get("file"); ok {
		return errors.New("parameter 'file' is not supported yet")
	}
	kind, ok := l.Get("type")
	if !ok {
		return errors.New("parameter 'type' is missing")
	}
	in := &p.cfg.SMBIOS
	var s prop.Set
	var ignored string
	s.String("type", &ignored)
	switch kind {
	case "0":
		s.String("vendor", &in.BIOSVendor)
		s.String("version", &in.BIOSVersion)
		s.String("date", &in.BIOSDate)
		s.IgnoreOff("uefi")
		s.NotYet("release")
	case "1":
		s.String("manufacturer", &in.Manufacturer)
		s.String("product", &in.Product)
		s.String("version", &in.Version)
		s.String("serial", &in.Serial)
		s.String("sku", &in.SKU)
		s.String("family", &in.Family)
		s.Func("uuid", "<uuid>", func(v string) error { return setUUID(p, v) })
	case "3":
		s.String("manufacturer", &in.ChassisManufacturer)
		s.NotYet("version", "serial", "asset", "sku")
	case "11":
		s.Func("value", "<str>", func(v string) error {
			if v == "" || len(in.OEMStrings) == maxOEMStrings {
				return fmt.Errorf("there may be %d strings that are not empty", maxOEMStrings)
			}
			in.OEMStrings = append(in.OEMStrings, v)
			return nil
		})
		s.NotYet("path")
	case "2", "4", "8", "17", "41":
		return fmt.Errorf("type=%s is not supported yet; 0, 1, 3 and 11 are", kind)
	default:
		return fmt.Errorf("parameter 'type': '%s' is not a type of SMBIOS tables that can be given: 0, 1, 3, 11", kind)
	}
	return s.Bind(l)
}
