# Prints each text of a JSON document on a line of its own: the names that lead to it, then the text, parted by tabs.
{ s = s $0 "\n" }
END {
  n = length(s); d = 0
  for (i = 1; i <= n; i++) {
    c = substr(s, i, 1)
    if (c == "{" || c == "[") { name[++d] = "" }
    else if (c == "}" || c == "]") { d-- }
    else if (c == "\"") {
      v = ""
      while (++i <= n && (c = substr(s, i, 1)) != "\"") {
        if (c == "\\") { v = v c; c = substr(s, ++i, 1) }
        v = v c
      }
      j = i + 1
      while (substr(s, j, 1) ~ /^[ \t\r\n]$/) j++
      if (substr(s, j, 1) == ":") { name[d] = v; i = j }
      else {
        p = name[1]
        for (k = 2; k <= d; k++) p = p "\t" name[k]
        print p "\t" v
      }
    }
  }
}
