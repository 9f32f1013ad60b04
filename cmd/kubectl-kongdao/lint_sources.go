package main

import (
	"context"
	"fmt"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/lintreport"
	"kongdao.io/kongdao/pkg/manifest"
	"kongdao.io/kongdao/pkg/pack"
)

// check checks the folders and the files, or the cluster if there are none.
func (l *linter) check(ctx context.Context, folders []string) (lintreport.Report, error) {
	report := lintreport.Report{Plugins: []lintreport.Plugin{}}
	for _, folder := range folders {
		plugin, err := l.checkFolder(folder)
		if err != nil {
			return report, err
		}
		report.Plugins = append(report.Plugins, plugin)
	}
	var configMaps []corev1.ConfigMap
	var err error
	switch {
	case len(l.files) > 0:
		configMaps, err = l.readFiles()
	case len(folders) == 0:
		configMaps, err = l.readCluster(ctx)
	}
	if err != nil {
		return report, err
	}
	report.Plugins = append(report.Plugins, l.checkConfigMaps(configMaps)...)
	return report, nil
}

// checkFolder checks a plugin's folder.
func (l *linter) checkFolder(folder string) (lintreport.Plugin, error) {
	name, err := pluginName(folder, l.name)
	if err != nil {
		return lintreport.Plugin{}, fmt.Errorf("folder %q: %w", folder, err)
	}
	files, denials := readFolder(folder)
	if len(denials) > 0 {
		return lintreport.Plugin{}, denials
	}
	options := pack.Options{Folder: folder, Exclude: l.exclude, KongVersion: l.version}
	release, files, denials := pack.Read(name, files, options)
	if len(denials) > 0 {
		return lintreport.Plugin{}, denials
	}
	locate := func(file string) (string, []byte) { return path.Join(folder, file), files[file] }
	version, _ := release.Version()
	return l.newPlugin(release, version, folder, locate), nil
}

// newPlugin checks a release. The function locate returns the location of a file and its content.
func (l *linter) newPlugin(
	release checks.Release, version, origin string, locate func(file string) (string, []byte),
) lintreport.Plugin {
	release.Modules = l.modules
	findings := checks.Check(release)
	plugin := lintreport.Plugin{
		Plugin: release.Plugin, Version: version, Origin: origin, Findings: []lintreport.Finding{},
		Porting: checks.Porting(findings),
	}
	for _, finding := range findings {
		located := lintreport.Finding{Finding: finding}
		if finding.File != "" {
			location, content := locate(finding.File)
			located.Location, located.Source = location, lintreport.SourceLine(content, finding.Line)
		}
		plugin.Findings = append(plugin.Findings, located)
	}
	return plugin
}

// readFiles returns the ConfigMaps in the files.
func (l *linter) readFiles() ([]corev1.ConfigMap, error) {
	reader := inputs{stdin: l.streams.In, recursive: l.recursive}
	documents, err := reader.read("-f", l.files)
	if err != nil {
		return nil, err
	}
	namespace, err := l.namespaces.namespace()
	if err != nil {
		return nil, err
	}
	return manifest.ConfigMaps(documents, namespace)
}

// readCluster returns the sources of plugins in a namespace or in all namespaces.
func (l *linter) readCluster(ctx context.Context) ([]corev1.ConfigMap, error) {
	namespace := ""
	if !l.allNamespaces {
		var err error
		if namespace, err = l.namespaces.namespace(); err != nil {
			return nil, err
		}
	}
	reader, err := l.connection.connect(l.streams)
	if err != nil {
		return nil, err
	}
	var list corev1.ConfigMapList
	if err := reader.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{annotations.Plugin}); err != nil {
		return nil, fmt.Errorf("list the ConfigMaps labelled %s: %w", annotations.Plugin, err)
	}
	return list.Items, nil
}

// checkConfigMaps checks the releases in ConfigMaps, sorted by namespace, plugin and version.
func (l *linter) checkConfigMaps(configMaps []corev1.ConfigMap) []lintreport.Plugin {
	index := &catalog.Index{}
	byName := map[string]*corev1.ConfigMap{}
	for i := range configMaps {
		index.Put(catalog.NewSource(&configMaps[i]))
		byName[configMaps[i].Namespace+"/"+configMaps[i].Name] = &configMaps[i]
	}
	var plugins []lintreport.Plugin
	namespaces := index.Namespaces()
	slices.Sort(namespaces)
	for _, namespace := range namespaces {
		names := index.Plugins(namespace)
		slices.Sort(names)
		for _, name := range names {
			for _, release := range index.Releases(namespace, name) {
				plugins = append(plugins, l.checkRelease(namespace, release, byName))
			}
		}
	}
	return plugins
}

// checkRelease checks a release in a namespace.
func (l *linter) checkRelease(
	namespace string, release *catalog.Release, configMaps map[string]*corev1.ConfigMap,
) lintreport.Plugin {
	byPath := map[string]catalog.File{}
	for _, file := range release.Files {
		byPath[file.Path] = file
	}
	locate := func(path string) (string, []byte) {
		file := byPath[path]
		configMap := configMaps[namespace+"/"+file.Source]
		if configMap == nil {
			return path, nil
		}
		content, isBinary := configMap.BinaryData[file.Key]
		if !isBinary {
			content = []byte(configMap.Data[file.Key])
		}
		return fmt.Sprintf("configmap/%s/%s/%s", namespace, file.Source, file.Key), content
	}
	plugin := l.newPlugin(release.Checked(l.version), release.Version, "namespace "+namespace, locate)
	for _, denied := range release.Denials {
		if denied.Rule == "" {
			plugin.Findings = append(plugin.Findings, lintreport.Finding{Finding: checks.Finding{
				Rule: lintreport.SourcesRule, Severity: checks.Error, Message: denied.Message,
				Kong: "kongdao denies pods that request the release", WayOut: "change the ConfigMaps: see the message",
			}})
		}
	}
	return plugin
}
