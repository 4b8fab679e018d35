package catalog

// Groups are the headings of -device help, in order.
func Groups() []string {
	return []string{"Controller/Bridge/Hub", "USB", "Storage", "Network", "Input", "Display", "Sound", "Misc", "Watchdog"}
}

// Devices lists the drivers of -device. Those on the board need no -device.
func Devices() []Entry {
	list := []Entry{
		{Name: "ide-hd", Bus: "IDE", Group: "Storage", Desc: "IDE hard disk", Built: true},
		{Name: "ide-cd", Bus: "IDE", Group: "Storage", Desc: "IDE CD-ROM", Built: true},
		{Name: "floppy", Bus: "floppy-bus", Group: "Storage", Desc: "floppy drive", Built: true},
		{Name: "isa-serial", Bus: "ISA", Group: "Input", Desc: "16550A serial port", Built: true},
		{Name: "isa-parallel", Bus: "ISA", Group: "Input", Desc: "parallel port", Built: true},
		{Name: "VGA", Bus: "PCI", Group: "Display", Desc: "VGA with Bochs VBE extensions", Built: true},
		{Name: "isa-vga", Bus: "ISA", Group: "Display", Desc: "VGA with Bochs VBE extensions", Built: true},
		{Name: "AC97", Bus: "PCI", Group: "Sound", Desc: "Intel 82801AA AC97 Audio", Built: true},
		{Name: "ES1370", Bus: "PCI", Group: "Sound", Desc: "Ensoniq AudioPCI", Built: true},
		{Name: "sb16", Bus: "ISA", Group: "Sound", Desc: "Creative Sound Blaster 16", Built: true},
		{Name: "adlib", Bus: "ISA", Group: "Sound", Desc: "Yamaha YM3812 (OPL2)", Built: true},
		{Name: "cirrus-vga", Bus: "PCI", Group: "Display", Desc: "Cirrus Logic GD5446", Built: true},
		{Name: "isa-debug-exit", Bus: "ISA", Group: "Misc", Desc: "a write ends the emulator with status 2n+1", Built: true},
		{Name: "pvpanic", Bus: "ISA", Group: "Misc", Desc: "the guest says that it has failed", Built: true},
		{Name: "e1000", Alias: "e1000-82540em", Bus: "PCI", Group: "Network", Desc: "Intel Gigabit Ethernet (82540EM)", Built: true},
		{Name: "ne2k_pci", Bus: "PCI", Group: "Network", Desc: "NE2000 on PCI (RTL8029AS)", Built: true},
		{Name: "ne2k_isa", Bus: "ISA", Group: "Network", Desc: "NE2000", Built: true},
		{Name: "rtl8139", Bus: "PCI", Group: "Network", Desc: "Realtek RTL8139C+", Built: true},
		{Name: "isa-debugcon", Bus: "ISA", Group: "Misc", Desc: "debug console port", Built: true},
	}
	for _, g := range []struct {
		group string
		names []string
	}{
		{"Controller/Bridge/Hub", []string{"pci-bridge", "pcie-root-port", "pxb", "virtio-serial-pci", "virtio-serial", "virtio-scsi-pci", "i82801b11-bridge", "ioh3420"}},
		{"USB", []string{"piix3-usb-uhci", "piix4-usb-uhci", "usb-ehci", "ich9-usb-ehci1", "ich9-usb-uhci1", "nec-usb-xhci", "qemu-xhci", "pci-ohci", "usb-hub", "usb-host"}},
		{"Storage", []string{"ahci", "ich9-ahci", "isa-fdc", "lsi53c895a", "megasas", "nvme", "piix3-ide", "piix4-ide", "scsi-cd", "scsi-hd", "scsi-generic",
			"scsi-block", "sd-card", "sdhci-pci", "usb-storage", "virtio-blk-pci", "virtio-blk", "virtio-9p-pci", "am53c974", "dc390", "mptsas1068", "pvscsi", "ide-cf", "vhost-user-fs-pci"}},
		{"Network", []string{"e1000e", "i82551", "i82557b", "i82559er", "igb", "pcnet", "tulip", "usb-net", "virtio-net-pci", "virtio-net", "vmxnet3"}},
		{"Input", []string{"pci-serial", "pci-serial-2x", "pci-serial-4x", "usb-kbd", "usb-mouse", "usb-tablet", "usb-serial", "usb-braille", "virtconsole", "virtserialport",
			"virtio-input-host-pci", "virtio-keyboard-pci", "virtio-mouse-pci", "virtio-tablet-pci", "i8042", "vmmouse", "ipoctal232"}},
		{"Display", []string{"ati-vga", "bochs-display", "isa-cirrus-vga", "qxl", "qxl-vga", "ramfb", "secondary-vga", "virtio-gpu-pci", "virtio-vga", "vmware-svga"}},
		{"Sound", []string{"cs4231a", "gus", "hda-duplex", "hda-micro", "hda-output", "ich9-intel-hda", "intel-hda", "usb-audio", "virtio-sound-pci"}},
		{"Misc", []string{"edu", "hpet", "isa-applesmc", "isa-ipmi-bt", "isa-ipmi-kcs", "ivshmem-plain", "ivshmem-doorbell", "kvmvapic", "loader", "generic-loader", "mc146818rtc", "pc-dimm", "pc-testdev",
			"pvpanic-pci", "tpm-crb", "tpm-tis", "vfio-pci", "virtio-balloon-pci", "virtio-balloon", "virtio-crypto-pci", "virtio-iommu-pci", "virtio-mem-pci", "virtio-pmem-pci",
			"virtio-rng-pci", "virtio-rng", "vmcoreinfo", "vmgenid", "vhost-vsock-pci", "intel-iommu", "ccid-card-passthru", "usb-ccid", "smbus-eeprom", "pci-testdev", "igd-passthrough-i440FX"}},
		{"Watchdog", []string{"i6300esb", "ib700"}},
	} {
		for _, n := range g.names {
			list = append(list, Entry{Name: n, Group: g.group})
		}
	}
	return list
}
