package controlplane

import (
	"net/url"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// writeKubeconfig writes config to a new kubeconfig in dir and returns its path. The file includes certificates and
// keys.
func writeKubeconfig(dir, name string, config *rest.Config) (string, error) {
	const entryName = "local"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[entryName] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
	}
	kubeconfig.Contexts[entryName] = &clientcmdapi.Context{Cluster: entryName, AuthInfo: name}
	kubeconfig.CurrentContext = entryName
	content, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// Users may have the same name and different groups, so the file names need to be unique.
	file, err := os.CreateTemp(dir, url.PathEscape(name)+"-*.kubeconfig")
	if err != nil {
		return "", err
	}
	if _, err := file.Write(content); err != nil {
		_ = file.Close()
		return "", err
	}
	return file.Name(), file.Close()
}
