package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/manifest"
	"kongdao.io/kongdao/pkg/pack"
)

const packLong = `Pack each folder, which contains one Kong plugin, into ConfigMaps and print them.

The plugin has the name of its folder. The ConfigMaps are immutable. Their version is the VERSION in handler.lua,
and their names contain a digest of the files. A new release does not replace an old one.

pack checks each plugin as "kubectl kongdao lint" does. It prints no ConfigMaps if Kong would fail on one of the
plugins, and reports all problems instead. With --force, it packs these plugins anyway, and the annotation
kongdao.io/force on the ConfigMaps makes kongdao inject them.

A file .kongdaoignore in the folder names files to leave out: one pattern per line. A pattern without a slash matches a
name in any folder, and a pattern with a slash matches a path.`

const packExample = `  # Create the ConfigMaps of the plugin in the folder dao-test
  kubectl kongdao pack ./dao-test -n kong | kubectl create -f -

  # Write a file to commit, for a plugin whose folder has another name
  kubectl kongdao pack ./src --name dao-test -n kong > dao-test.yaml

  # Create ConfigMaps that you can edit during development
  kubectl kongdao pack ./dao-test --mutable -n kong | kubectl create -f -`

// packOptions are the flags of "kubectl kongdao pack".
type packOptions struct {
	pack.Options
	name, output, kongVersion string
}

func newPackCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	var options packOptions
	command := &cobra.Command{
		Use:     "pack DIR...",
		Short:   "Pack the folders of plugins into ConfigMaps",
		Long:    packLong,
		Example: packExample,
		Args:    cobra.ArbitraryArgs, // runPack has a better message for no arguments
		RunE: func(_ *cobra.Command, folders []string) error {
			options.Namespace = namespaces.explicit() // the kubeconfig's namespace does not belong in a file
			return runPack(streams, folders, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.name, "name", "", "Name of the plugin. The default is the name of the folder")
	flags.StringVar(&options.Version, "version", "", "Version of the release. The default is VERSION in handler.lua")
	flags.BoolVar(&options.Flat, "flat", false,
		"Use file names as keys, also for migrations, as \"kubectl create configmap --from-file\" does")
	flags.BoolVar(&options.Mutable, "mutable", false,
		"Create ConfigMaps that you can edit. Their names contain no digest")
	flags.BoolVar(&options.Force, "force", false, "Pack plugins on which Kong would fail")
	flags.StringArrayVar(&options.Exclude, "exclude", nil,
		"Pattern of files to leave out, as in .kongdaoignore. You can repeat the flag")
	addKongVersionFlag(flags, &options.kongVersion)
	addOutputFlag(command, &options.output)
	return command
}

func runPack(streams genericiooptions.IOStreams, folders []string, options packOptions) error {
	if err := validateOutput(options.output); err != nil {
		return err
	}
	var err error
	if options.KongVersion, err = parseKongVersion(options.kongVersion); err != nil {
		return err
	}
	if len(folders) == 0 {
		return errors.New("no folder to pack; name the folder that contains the plugin's handler.lua")
	}
	if len(folders) > 1 && (options.name != "" || options.Version != "") {
		return fmt.Errorf("--name and --version apply to one folder, but there are %d; pack each folder separately",
			len(folders))
	}
	configMaps, denials := packFolders(streams.ErrOut, folders, options)
	if len(denials) > 0 {
		return denials
	}
	text, err := renderConfigMaps(configMaps, options.output)
	if err != nil {
		return err
	}
	_, err = streams.Out.Write(text)
	return err
}

// packFolders packs all folders, and prints their warnings. It continues after a denial, so that it finds all problems.
func packFolders(warnings io.Writer, folders []string, options packOptions) ([]corev1.ConfigMap, denial.List) {
	var configMaps []corev1.ConfigMap
	var denials denial.List
	folderByConfigMap := map[string]string{}
	for _, folder := range folders {
		packed, folderDenials := packFolder(folder, options)
		denials = append(denials, folderDenials...)
		for _, warning := range packed.Warnings {
			fmt.Fprintf(warnings, "warning: %s: %s\n", folder, warning)
		}
		for _, finding := range packed.Findings {
			fmt.Fprintf(warnings, "%s: %s [%s]\n", finding.Severity, pack.FindingText(folder, finding), finding.Rule)
		}
		for i := range packed.ConfigMaps {
			name := packed.ConfigMaps[i].Name
			if other, taken := folderByConfigMap[name]; taken {
				denials = append(denials, denial.New(denial.ConflictingSources,
					"folders %q and %q both produce ConfigMap %q; pack one of them with another --name or --version",
					other, folder, name))
			}
			folderByConfigMap[name] = folder
		}
		configMaps = append(configMaps, packed.ConfigMaps...)
	}
	return configMaps, denials
}

// packFolder packs one folder.
func packFolder(folder string, options packOptions) (pack.Packed, denial.List) {
	name, err := pluginName(folder, options.name)
	if err != nil {
		return pack.Packed{}, denial.List{denial.New(denial.BrokenPlugin, "folder %q: %v", folder, err)}
	}
	files, denials := readFolder(folder)
	if len(denials) > 0 {
		return pack.Packed{}, denials
	}
	options.Folder = folder
	return pack.Pack(name, files, options.Options)
}

// pluginName returns the name of the plugin in a folder: the value of --name, or the name of the folder.
func pluginName(folder, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	absolute, err := filepath.Abs(folder)
	return filepath.Base(absolute), err
}

func renderConfigMaps(configMaps []corev1.ConfigMap, output string) ([]byte, error) {
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
