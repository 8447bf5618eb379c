//! The list of files: `survey, program, pixel, file_type (coadd|redrock), filename, s3_key`.

use coaddkit_spectra::PixelId;
use std::collections::BTreeMap;
use std::fmt;

/// A pixel and the keys of its two files.
#[derive(Clone, Debug)]
pub struct Pixel {
    pub id: PixelId,
    pub coadd: String,
    pub redrock: String,
}

impl fmt::Display for Pixel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// The pixels of an inventory. A pixel of which only the coadd is listed has its redrock file beside it, under the
/// name that goes with it.
pub fn pixels(text: &str) -> Result<Vec<Pixel>, String> {
    let mut lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    let head: Vec<&str> = lines.next().map_or(Vec::new(), |(_, line)| fields(line));
    let column =
        |name: &str| head.iter().position(|field| *field == name).ok_or(format!("line 1: no column {name}"));
    let [survey, program, pixel, kind, key] =
        [column("survey")?, column("program")?, column("pixel")?, column("file_type")?, column("s3_key")?];
    let mut found: BTreeMap<PixelId, [Option<String>; 2]> = BTreeMap::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: String| format!("line {number}: {what}");
        let row = fields(line);
        if row.len() != head.len() {
            return Err(wrong(format!("{} fields, not {}", row.len(), head.len())));
        }
        let which = match row[kind] {
            "coadd" => 0,
            "redrock" => 1,
            // Catalogues of emission lines and of details stand in the same list.
            _ => continue,
        };
        let pixel = row[pixel].parse().map_err(|e| wrong(format!("pixel {:?}: {e}", row[pixel])))?;
        let id = PixelId::new(row[survey], row[program], pixel).map_err(|e| wrong(e.to_string()))?;
        if row[key].is_empty() || row[key].split('/').any(|part| part == "..") {
            return Err(wrong(format!("s3_key {:?} is no key", row[key])));
        }
        let slot = &mut found.entry(id.clone()).or_default()[which];
        if slot.replace(row[key].to_owned()).is_some() {
            return Err(wrong(format!("a second {} file of {id}", row[kind])));
        }
    }
    found
        .into_iter()
        .map(|(id, files)| match files {
            [Some(coadd), Some(redrock)] => Ok(Pixel { id, coadd, redrock }),
            [Some(coadd), None] => {
                let (folder, name) = coadd.rsplit_once('/').map_or(("", coadd.as_str()), |parts| parts);
                let name = name.replacen("coadd", "redrock", 1);
                let redrock = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                Ok(Pixel { id, coadd, redrock })
            }
            _ => Err(format!("{id} has a redrock file and no coadd")),
        })
        .collect()
}

fn fields(line: &str) -> Vec<&str> {
    line.split(',').map(|field| field.trim().trim_matches('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "survey,program,pixel,file_type,filename,s3_key\n";

    #[test]
    fn programs_share_pixels_and_halves_are_completed() {
        let text = format!(
            "{HEAD}main,dark,7,coadd,coadd-x.fits,a/coadd/coadd-x.fits\nmain,bright,7,redrock,r.fits,b/r.fits\n\
             main,bright,7,coadd,c.fits,b/c.fits\nmain,dark,7,emline,e.fits,a/e.fits\n"
        );
        let found = pixels(&text).unwrap();
        let shown: Vec<_> = found.iter().map(|p| format!("{p} {} {}", p.coadd, p.redrock)).collect();
        assert_eq!(
            shown,
            [
                "main/bright/00007 b/c.fits b/r.fits",
                "main/dark/00007 a/coadd/coadd-x.fits a/coadd/redrock-x.fits"
            ]
        );
    }

    #[test]
    fn mistakes_say_where() {
        for (rows, what) in [
            ("main,dark,x,coadd,f,k\n", "line 2: pixel \"x\""),
            ("main,dark,7,coadd,f\n", "line 2: 5 fields, not 6"),
            (
                "main,dark,7,coadd,f,k\nmain,dark,7,coadd,f,k\n",
                "line 3: a second coadd file of main/dark/00007",
            ),
            ("..,dark,7,coadd,f,k\n", "line 2: \"..\""),
            ("main,dark,7,coadd,f,../../k\n", "is no key"),
            ("main,dark,7,redrock,f,k\n", "no coadd"),
        ] {
            let error = pixels(&format!("{HEAD}{rows}")).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        assert!(pixels("survey,program,pixel\n").unwrap_err().contains("file_type"));
        assert!(pixels("").unwrap_err().contains("survey"));
    }
}
