package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/manifest"
	"kongdao.io/kongdao/pkg/pack"
)

const packExample = `  # The plugin in folder dao-test, into the cluster
  kubectl kongdao pack ./dao-test -n kong | kubectl apply -f -

  # A file to commit, of a plugin whose folder has another name
  kubectl kongdao pack ./src --name dao-test -n kong > dao-test.yaml`

// packOptions are the flags of "kubectl kongdao pack".
type packOptions struct {
	pack.Options
	name, output string
}

func newPackCommand(streams genericiooptions.IOStreams, where *place) *cobra.Command {
	var options packOptions
	command := &cobra.Command{
		Use:   "pack DIR...",
		Short: "Packs plugins' folders into ConfigMaps",
		Long: "Packs each folder, a Kong plugin of the folder's name, into ConfigMaps and prints them: immutable, with the handler's VERSION as\n" +
			"their version, and named with a digest of the files, so that a new packing stands beside the old one. A plugin that\n" +
			"Kong would fail on is denied.",
		Example: packExample,
		Args:    cobra.ArbitraryArgs, // none are denied in words that help
		RunE: func(_ *cobra.Command, folders []string) error {
			options.Namespace = where.given() // none is written without -n
			return runPack(streams, folders, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.name, "name", "", "The plugin's name, instead of the folder's")
	flags.StringVar(&options.Version, "version", "", "The release's version, instead of the handler's VERSION")
	flags.BoolVar(&options.Flat, "flat", false, "Keys as \"kubectl create configmap --from-file\" makes them, migrations beside the other files")
	flags.BoolVar(&options.Mutable, "mutable", false, "ConfigMaps that can be edited, with no digest in their names")
	addOutputFlag(flags, &options.output)
	return command
}

func runPack(streams genericiooptions.IOStreams, folders []string, options packOptions) error {
	if err := checkOutput(options.output); err != nil {
		return err
	}
	if len(folders) == 0 {
		return errors.New("nothing to pack; name a plugin's folder, the one that handler.lua is in")
	}
	if len(folders) > 1 && (options.name != "" || options.Version != "") {
		return fmt.Errorf("--name and --version are for one folder, and there are %d; pack them one by one", len(folders))
	}
	var configMaps []corev1.ConfigMap
	var denied denial.List
	homes := map[string]string{}
	for _, folder := range folders {
		packed, wrong := packFolder(folder, options)
		denied = append(denied, wrong...)
		for _, note := range packed.Warnings {
			fmt.Fprintf(streams.ErrOut, "note: %s: %s\n", folder, note)
		}
		for i := range packed.ConfigMaps {
			name := packed.ConfigMaps[i].Name
			if other, taken := homes[name]; taken {
				denied = append(denied, denial.New(denial.ConflictingSources,
					"folders %q and %q both make ConfigMap %q; pack one of them with another --name or --version", other, folder, name))
			}
			homes[name] = folder
		}
		configMaps = append(configMaps, packed.ConfigMaps...)
	}
	if len(denied) > 0 {
		return denied
	}
	text, err := writeConfigMaps(configMaps, options.output)
	if err != nil {
		return err
	}
	_, err = streams.Out.Write(text)
	return err
}

func writeConfigMaps(configMaps []corev1.ConfigMap, output string) ([]byte, error) {
	text := pack.YAML(configMaps)
	if output == outputYAML {
		return text, nil
	}
	documents, err := manifest.Read("the packed ConfigMaps", text)
	if err != nil {
		return nil, err
	}
	return manifest.WriteJSON(documents)
}

func packFolder(folder string, options packOptions) (pack.Packed, denial.List) {
	name := options.name
	if name == "" {
		absolute, err := filepath.Abs(folder)
		if err != nil {
			return pack.Packed{}, denial.List{denial.New(denial.BrokenPlugin, "folder %q: %v", folder, err)}
		}
		name = filepath.Base(absolute)
	}
	files, denied := readFolder(folder)
	if len(denied) > 0 {
		return pack.Packed{}, denied
	}
	options.Folder = folder
	return pack.Pack(name, files, options.Options)
}
