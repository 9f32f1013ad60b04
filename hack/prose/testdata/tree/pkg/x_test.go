package good

const manifest = `
# whoever
kind: Pod
`
