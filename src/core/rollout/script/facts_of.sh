# What a container is made of and joined to, as far as a change of it matters.
facts_of() { docker_ inspect --type container -f '{{.Image}} {{json .Config}} {{json .HostConfig}} {{range $name, $end := .NetworkSettings.Networks}}{{$name}} {{json $end.IPAMConfig}} {{json $end.Aliases}} {{end}}' "$1"; }
